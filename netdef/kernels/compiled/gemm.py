"""Products of matrices as InnerProduct, MatMul and the recurrent layers need them: a long matrix by one with few rows.

The long one (the weights) does not fit a cache, so each form reads it exactly once and where it lies; the other is packed into
panels of a tile's width. What is split between threads is the result, and sums run over the depth in one order.

==========================  =====================  ===================================================================
form                        in an inner product    how
==========================  =====================  ===================================================================
out = a b^T  (``_by_rows``)  y = x W^T              rows of W give the tile's rows, items its columns; the result is
                                                   turned over at the end
out = a b    (``_by_panels``) dx = dy W             W in panels of 64 rows by 48 columns, each used for all items
out = a^T b  (``_outer``)    dW += dy^T x           items are the depth; dW is read and written once
out = a b^T  (``_dots``)     y = x W^T, few items   a dot product for each output
==========================  =====================  ===================================================================
"""
from __future__ import annotations

import threading

import numpy as np

from netdef.kernels.compiled.simd import (
    COLUMNS,
    LANES,
    ROWS,
    ZERO,
    _void,
    accumulate,
    across,
    at,
    copy,
    counted,
    fill,
    first_lanes,
    int64,
    load,
    multiply_add,
    transpose,
)
from netdef.kernels.compiled.tile import tile, tile_packed
from netdef.kernels.jit import helper, intrinsic, kernel, prange
from netdef.kernels.reference.linear import gemm as _reference

Array = np.ndarray

FEW = 4
"""Items up to which dot products beat tiles, whose vectors run over the items."""

LEAST_WORK = 1 << 21
"""Multiply-adds from which two threads pay; NumPy's BLAS takes 40 microseconds for fewer on one."""

DEPTH = 64  # rows of a panel: 64 x 48 floats stay in a first-level cache, with what else a tile needs
LONG = 1024  # elements of a row of weights that are used for all items before going on
BLOCK = 16 * COLUMNS  # most columns of a task of _by_panels
TASKS = 8  # least tasks, where there are columns enough
STRIP = 4 * ROWS  # rows of weights of a task of _by_rows

_arenas = threading.local()


def gemm(a: Array, b: Array, out: Array, trans_a: bool = False, trans_b: bool = False, accumulate: bool = False) -> None:
    """See the reference."""
    m, n = out.shape
    depth = a.shape[0] if trans_a else a.shape[1]
    if m * n * depth < LEAST_WORK or trans_a and trans_b or m == 1 and not trans_b:
        _reference(a, b, out, trans_a, trans_b, accumulate)
        return
    left, right, result = a.reshape(-1), b.reshape(-1), out.reshape(-1)
    if trans_a:
        panels = _arena(-(-n // COLUMNS) * COLUMNS * depth)
        _pack_rows(right, depth, n, panels)
        _outer(left, panels, m, n, depth, accumulate, result)
    elif not trans_b:
        block = min(BLOCK, -(-n // (TASKS * COLUMNS)) * COLUMNS)
        _by_panels(left, right, m, n, depth, block, accumulate, result)
    elif m <= FEW:
        _dots(left, right, m, n, depth, accumulate, result)
    else:
        panels = _arena((-(-m // LANES) * LANES + LANES) * depth)
        _pack_columns(left, m, depth, panels)
        _by_rows(right, panels, m, n, depth, accumulate, result)


def _arena(size: int) -> Array:
    """Scratch of this Python thread, with the slack that whole vectors need; it grows and is kept."""
    kept = getattr(_arenas, "floats", None)
    if kept is None or kept.size < size + COLUMNS:
        kept = _arenas.floats = np.zeros(size + COLUMNS, np.float32)
    return kept


@helper
def _step(columns, panel):
    """How far the rows of a panel lie apart: whole vectors that hold its columns."""
    left = columns - panel * COLUMNS
    return COLUMNS if left >= COLUMNS else (left + LANES - 1) // LANES * LANES


@kernel("f[1] i i f![1]")
def _pack_columns(x, items, depth, panels):
    """x (items, depth) -> panels (depth, COLUMNS of the items); a panel is ``depth * COLUMNS`` behind the one before."""
    for block in prange((depth + LANES - 1) // LANES):
        k = block * LANES
        for first in range(0, items, LANES):
            panel = first // COLUMNS
            step = _step(items, panel)
            to = panel * depth * COLUMNS + k * step + first - panel * COLUMNS
            transpose(panels, to, step, x, first * depth + k, depth, min(LANES, items - first), min(LANES, depth - k))


@kernel("f[1] i i f![1]")
def _pack_rows(x, items, columns, panels):
    """x (items, columns) -> panels (items, COLUMNS), whole ones, padded with zeros."""
    for panel in prange((columns + COLUMNS - 1) // COLUMNS):
        first = panel * COLUMNS
        width = min(COLUMNS, columns - first)
        for i in range(items):
            to = (panel * items + i) * COLUMNS
            copy(panels, to, x, i * columns + first, width)
            fill(panels, to + width, 0.0, COLUMNS - width)


@kernel("f[1] f[1] i i i i f![1]")
def _by_rows(w, panels, items, rows, depth, add, out):
    """out (items, rows) = x w^T for w (rows, depth) and x as packed by ``_pack_columns``."""
    padded = (items + LANES - 1) // LANES * LANES
    for task in prange((rows + STRIP - 1) // STRIP):
        first = task * STRIP
        count = min(STRIP, rows - first)
        sums = np.empty(STRIP * (padded + COLUMNS), np.float32)
        for k in range(0, depth, LONG):
            for panel in range((items + COLUMNS - 1) // COLUMNS):
                step = _step(items, panel)
                b_at = panel * depth * COLUMNS + k * step
                for row in range(0, count, ROWS):
                    tile(w, (first + row) * depth + k, depth, min(ROWS, count - row), panels, b_at, step,
                         min(COLUMNS, items - panel * COLUMNS), sums, row * padded + panel * COLUMNS, padded,
                         min(LONG, depth - k), k > 0)
        _turn_over(sums, padded, count, items, out, first, rows, add)


@helper
def _turn_over(sums, step, count, items, out, first, rows, add):
    """out[i, first + j] = or += sums[j, i] for j < count."""
    block = np.empty(LANES * LANES, np.float32)
    for j in range(0, count, LANES):
        width = min(LANES, count - j)
        for i in range(0, items, LANES):
            height = min(LANES, items - i)
            transpose(block, 0, LANES, sums, j * step + i, step, width, height)
            for row in range(height):
                if add:
                    accumulate(out, (i + row) * rows + first + j, block, row * LANES, width)
                else:
                    copy(out, (i + row) * rows + first + j, block, row * LANES, width)


@kernel("f[1] f[1] i i i i i f![1]")
def _by_panels(a, b, items, columns, depth, block, add, out):
    """out (items, columns) = a b for a (items, depth) and b (depth, columns), in tasks of ``block`` columns."""
    tall = (items + ROWS - 1) // ROWS * ROWS
    for task in prange((columns + block - 1) // block):
        first = task * block
        width = min(block, columns - first)
        panels = np.empty(DEPTH * block + COLUMNS, np.float32)
        sums = np.zeros(tall * block, np.float32)
        for k in range(0, depth, DEPTH):
            deep = min(DEPTH, depth - k)
            for i in range(deep):  # whole rows, since memory likes to be read in long runs
                for c in range(0, width, COLUMNS):
                    copy(panels, c * DEPTH + i * COLUMNS, b, (k + i) * columns + first + c, min(COLUMNS, width - c))
            for c in range(0, width, COLUMNS):
                for row in range(0, items, ROWS):
                    tile(a, row * depth + k, depth, min(ROWS, items - row), panels, c * DEPTH, COLUMNS,
                         min(COLUMNS, width - c), sums, row * block + c, block, deep, 1)
        _put_rows(sums, block, items, width, out, first, columns, add)


@helper
def _put_rows(sums, step, rows, width, out, first, columns, add):
    """out[i, first + j] = or += sums[i, j]."""
    for i in range(rows):
        if add:
            accumulate(out, i * columns + first, sums, i * step, width)
        else:
            copy(out, i * columns + first, sums, i * step, width)


@kernel("f[1] f[1] i i i i f![1]")
def _outer(a, panels, rows, columns, items, add, out):
    """out (rows, columns) = a^T b for a (items, rows) and b as packed by ``_pack_rows``."""
    for task in prange((rows + ROWS - 1) // ROWS):
        first = task * ROWS
        count = min(ROWS, rows - first)
        packed = np.zeros(items * ROWS, np.float32)
        for k in range(items):
            copy(packed, k * ROWS, a, k * rows + first, count)
        sums = np.empty(ROWS * COLUMNS, np.float32)
        for c in range(0, columns, COLUMNS):
            b_at = c * items
            wide = min(COLUMNS, columns - c)
            if count == ROWS and wide == COLUMNS:
                tile_packed(packed, 0, panels, b_at, COLUMNS, COLUMNS, out, first * columns + c, columns, items, add)
                continue
            tile_packed(packed, 0, panels, b_at, COLUMNS, wide, sums, 0, COLUMNS, items, 0)
            for i in range(count):
                if add:
                    accumulate(out, (first + i) * columns + c, sums, i * COLUMNS, wide)
                else:
                    copy(out, (first + i) * columns + c, sums, i * COLUMNS, wide)


DOTS = 4
"""Rows of weights whose dot products run side by side."""


@intrinsic
def _dot_rows(typing, w, w_at, w_step, rows, x, x_at, n, out, out_at):
    """out[i] = sum over k < n of w[i * w_step + k] * x[k], for DOTS rows; those from ``rows`` on repeat the last."""
    def emit(b, w, w_at, w_step, rows, x, x_at, n, out, out_at):
        last, start = b.sub(rows, int64(1)), at(b, w, w_at)
        pointers = []
        for i in range(DOTS):
            row = b.select(b.icmp_signed("<", int64(i), rows), int64(i), last)
            pointers.append(at(b, start, b.mul(row, w_step)))
        x = at(b, x, x_at)

        def products(k, sums):
            mask = first_lanes(b, b.sub(n, k))
            vector = load(b, x, k, mask)
            return [multiply_add(b, load(b, p, k, mask), vector, s) for p, s in zip(pointers, sums, strict=True)]

        results = counted(b, int64(0), n, [ZERO] * DOTS, products, LANES)
        for i, result in enumerate(results):
            b.store(across(b, result), at(b, out, b.add(out_at, int64(i))))
    return _void((w, w_at, w_step, rows, x, x_at, n, out, out_at), emit)


@kernel("f[1] f[1] i i i i f![1]")
def _dots(x, w, items, rows, depth, add, out):
    """out (items, rows) = x w^T for x (items, depth), w (rows, depth) and few items."""
    for task in prange((rows + STRIP - 1) // STRIP):
        found = np.empty(DOTS, np.float32)
        for row in range(task * STRIP, min(rows, (task + 1) * STRIP), DOTS):
            count = min(DOTS, rows - row)
            for item in range(items):
                _dot_rows(w, row * depth, depth, count, x, item * depth, depth, found, 0)
                for i in range(count):
                    place = item * rows + row + i
                    out[place] = found[i] + (out[place] if add else np.float32(0))
