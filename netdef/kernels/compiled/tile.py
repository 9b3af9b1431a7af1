"""The tile: the block of a matrix product that stays in registers, and from which every large product here is made.

``C[i, v] (+)= sum over k < depth of A[i, k] * B[k, v]`` for ``ROWS`` rows and up to ``COLUMNS`` columns. A vector of B is loaded
once and used for every row; an element of A is spread over a vector and used for every column; the sums never leave their
registers. What differs is only where A's elements and B's rows lie, so one function emits them all.

B and C are touched in whole vectors: up to LANES - 1 elements behind the last column are read, and written with
numbers that mean nothing. So B and C are scratch (or an array whose slack is known).
"""
from __future__ import annotations

from typing import Any

from netdef.kernels.compiled.simd import (
    I64,
    LANES,
    ROWS,
    ZERO,
    _void,
    at,
    counted,
    int64,
    load,
    load_scalar,
    multiply_add,
    splat,
    store,
)
from netdef.kernels.jit import helper, intrinsic

Value = Any


def emit(b: Any, vectors: int, row_of: list[Value] | None, packed: Value, b_start: Value, b_step: Value, b_table: Value,
         c: Value, c_step: Value, depth: Value, add: Value, packed_step: Value = None) -> None:
    """The code of one tile of ``vectors`` vectors a row.

    A is either ``row_of``, a pointer for each row (its elements lie one behind another), or ``packed``, ROWS elements for each k
    (``packed_step`` apart; ROWS where it is not given).
    Row k of B lies ``k * b_step`` behind ``b_start``, or, with ``b_table``, ``b_table[k]`` behind it.
    """
    sums = [ZERO] * (ROWS * vectors)

    def products(k, values):
        place = values[-1] if b_table is None else at(b, b_start, load_scalar(b, b_table, k, I64))
        columns = [load(b, place, int64(v * LANES)) for v in range(vectors)]
        new = []
        for i in range(ROWS):
            where = (row_of[i], k) if row_of is not None else (packed, b.add(b.mul(k, packed_step or int64(ROWS)), int64(i)))
            a = splat(b, load_scalar(b, *where))
            new += [multiply_add(b, a, columns[v], values[i * vectors + v]) for v in range(vectors)]
        return new if b_table is not None else [*new, at(b, place, b_step)]

    results = counted(b, int64(0), depth, sums if b_table is not None else [*sums, b_start], products)[:len(sums)]
    places = [b.add(b.mul(c_step, int64(i)), int64(v * LANES)) for i in range(ROWS) for v in range(vectors)]
    setting, adding, end = (b.append_basic_block(name) for name in ("set", "add", "end"))
    b.cbranch(b.icmp_signed("==", add, int64(0)), setting, adding)
    b.position_at_end(setting)
    for result, offset in zip(results, places, strict=True):
        store(b, result, c, offset)
    b.branch(end)
    b.position_at_end(adding)
    for result, offset in zip(results, places, strict=True):
        store(b, b.fadd(load(b, c, offset), result), c, offset)
    b.branch(end)
    b.position_at_end(end)


def _row_pointers(b: Any, a: Value, step: Value, rows: Value) -> list[Value]:
    """A pointer for each row; those behind the last one repeat it, so that nothing outside A is read."""
    last = b.sub(rows, int64(1))
    found = []
    for i in range(ROWS):
        row = b.select(b.icmp_signed("<", int64(i), rows), int64(i), last)
        found.append(at(b, a, b.mul(row, step)))
    return found


def _plain(vectors: int) -> Any:
    """The intrinsic for A in rows ``a_step`` apart and B in rows ``b_step`` apart."""
    def tile(typing, a, a_at, a_step, rows, b, b_at, b_step, c, c_at, c_step, depth, add):
        def code(builder, a, a_at, a_step, rows, b, b_at, b_step, c, c_at, c_step, depth, add):
            pointers = _row_pointers(builder, at(builder, a, a_at), a_step, rows)
            emit(builder, vectors, pointers, None, at(builder, b, b_at), b_step, None, at(builder, c, c_at), c_step, depth, add)
        return _void((a, a_at, a_step, rows, b, b_at, b_step, c, c_at, c_step, depth, add), code)
    tile.__name__ = tile.__qualname__ = f"tile_{vectors}"
    return intrinsic(tile)


_tile_1, _tile_2, _tile_3 = _plain(1), _plain(2), _plain(3)


@helper
def tile(a, a_at, a_step, rows, b, b_at, b_step, width, c, c_at, c_step, depth, add):
    """C[i, v] = (C[i, v] if add else 0) + sum over k of A[i, k] * B[k, v], for ROWS rows and the vectors that hold ``width``
    columns (at most COLUMNS).

    A[i, k] is a[a_at + i * a_step + k] for i < rows; rows behind them repeat the last. C has room for ROWS rows.
    """
    if width > 2 * LANES:
        _tile_3(a, a_at, a_step, rows, b, b_at, b_step, c, c_at, c_step, depth, add)
    elif width > LANES:
        _tile_2(a, a_at, a_step, rows, b, b_at, b_step, c, c_at, c_step, depth, add)
    else:
        _tile_1(a, a_at, a_step, rows, b, b_at, b_step, c, c_at, c_step, depth, add)


def _packed(vectors: int) -> Any:
    """The intrinsic for A packed as ROWS elements for each k."""
    def tile_packed(typing, a, a_at, b, b_at, b_step, c, c_at, c_step, depth, add):
        def code(builder, a, a_at, b, b_at, b_step, c, c_at, c_step, depth, add):
            emit(builder, vectors, None, at(builder, a, a_at), at(builder, b, b_at), b_step, None,
                 at(builder, c, c_at), c_step, depth, add)
        return _void((a, a_at, b, b_at, b_step, c, c_at, c_step, depth, add), code)
    tile_packed.__name__ = tile_packed.__qualname__ = f"tile_packed_{vectors}"
    return intrinsic(tile_packed)


_packed_1, _packed_2, _packed_3 = _packed(1), _packed(2), _packed(3)


@helper
def tile_packed(a, a_at, b, b_at, b_step, width, c, c_at, c_step, depth, add):
    """Like ``tile`` with A[i, k] at a[a_at + k * ROWS + i]."""
    if width > 2 * LANES:
        _packed_3(a, a_at, b, b_at, b_step, c, c_at, c_step, depth, add)
    elif width > LANES:
        _packed_2(a, a_at, b, b_at, b_step, c, c_at, c_step, depth, add)
    else:
        _packed_1(a, a_at, b, b_at, b_step, c, c_at, c_step, depth, add)


def _columns(vectors: int) -> Any:
    """The intrinsic for A that lies turned over: ROWS elements for each k, ``a_step`` apart."""
    def tile_columns(typing, a, a_at, a_step, b, b_at, b_step, c, c_at, c_step, depth, add):
        def code(builder, a, a_at, a_step, b, b_at, b_step, c, c_at, c_step, depth, add):
            emit(builder, vectors, None, at(builder, a, a_at), at(builder, b, b_at), b_step, None,
                 at(builder, c, c_at), c_step, depth, add, a_step)
        return _void((a, a_at, a_step, b, b_at, b_step, c, c_at, c_step, depth, add), code)
    tile_columns.__name__ = tile_columns.__qualname__ = f"tile_columns_{vectors}"
    return intrinsic(tile_columns)


_columns_1, _columns_2, _columns_3 = _columns(1), _columns(2), _columns(3)


@helper
def tile_columns(a, a_at, a_step, b, b_at, b_step, width, c, c_at, c_step, depth, add):
    """Like ``tile`` with A[i, k] at a[a_at + k * a_step + i]; all ROWS of them are read."""
    if width > 2 * LANES:
        _columns_3(a, a_at, a_step, b, b_at, b_step, c, c_at, c_step, depth, add)
    elif width > LANES:
        _columns_2(a, a_at, a_step, b, b_at, b_step, c, c_at, c_step, depth, add)
    else:
        _columns_1(a, a_at, a_step, b, b_at, b_step, c, c_at, c_step, depth, add)
