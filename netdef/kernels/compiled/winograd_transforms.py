"""Winograd's transforms: between images and the points at which their products are taken.

Vectors run over LANES channels (or filters), so a transform knows nothing of its neighbours and no lane is lost to narrow maps.
One generator, ``_transform``, emits all of them from their matrices; a one costs nothing and a zero is left out. What turns an
image over, from places side by side to channels side by side and back, is ``gather`` and ``scatter``.

Points are kept in planes: point (i, j) of a tile lies ``(i * a + j) * step`` behind its first, a = m + r - 1.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from netdef.kernels.compiled.simd import (
    LANES,
    ZERO,
    _void,
    at,
    fill,
    first_lanes,
    int64,
    load,
    multiply_add,
    splat,
    store,
    transpose,
    transposed,
)
from netdef.kernels.jit import helper, intrinsic, ir
from netdef.kernels.winograd_matrices import matrices

Value = Any
Array = np.ndarray


# ------------------------------------------------------------------------------------------- code from a matrix

def _constant(value: float) -> Value:
    return ir.Constant(ZERO.type, [float(np.float32(value))] * LANES)


def _sum(b: Any, factors: Array, vectors: list[Value]) -> Value:
    """The sum of factor * vector, or None where all factors are zero."""
    terms = sorted(((f, v) for f, v in zip(factors, vectors, strict=True) if f != 0), key=lambda term: term[0] != 1)
    result = None
    for factor, vector in terms:
        if result is None:
            result = vector if factor == 1 else b.fmul(_constant(factor), vector)
        elif abs(factor) == 1:
            result = b.fadd(result, vector) if factor == 1 else b.fsub(result, vector)
        else:
            result = multiply_add(b, _constant(factor), vector, result)
    return result


def _fold_columns(b: Any, matrix: Array, vectors: list[Value]) -> tuple[Array, list[Value]]:
    """Columns p and q that differ only in signs (the points a and -a) take the sum and the difference of their vectors."""
    matrix, vectors = matrix.copy(), list(vectors)
    for p in range(len(vectors)):
        for q in range(p + 1, len(vectors)):
            same = matrix[:, p] == matrix[:, q]
            if not (abs(matrix[:, p]) == abs(matrix[:, q])).all() or same.all() or not matrix[:, p].any():
                continue
            vectors[p], vectors[q] = b.fadd(vectors[p], vectors[q]), b.fsub(vectors[p], vectors[q])
            matrix[:, p], matrix[:, q] = np.where(same, matrix[:, p], 0), np.where(same, 0, matrix[:, p])
    return matrix, vectors


def _multiply(b: Any, matrix: Array, vectors: list[Value]) -> list[Value]:
    """The vectors ``matrix @ vectors``; rows that differ only in signs share their two halves."""
    matrix, vectors = _fold_columns(b, matrix, vectors)
    found: list[Value] = [None] * len(matrix)
    for i, row in enumerate(matrix):
        if found[i] is not None:
            continue
        for j in range(i + 1, len(matrix)):
            same = row == matrix[j]
            if (abs(row) == abs(matrix[j])).all() and row[same].any() and row[~same].any():
                equal, opposite = _sum(b, np.where(same, row, 0), vectors), _sum(b, np.where(same, 0, row), vectors)
                found[i], found[j] = b.fadd(equal, opposite), b.fsub(equal, opposite)
                break
        else:
            found[i] = _sum(b, row, vectors)
    return found


def _transform(name: str, matrix: Array) -> Any:
    """The intrinsic ``to = matrix from matrix^T``, whose elements are vectors a row and a column step apart."""
    rows, columns = matrix.shape

    def apply(typing, source, source_at, source_row, source_column, to, to_at, to_row, to_column):
        def emit(b, source, source_at, source_row, source_column, to, to_at, to_row, to_column):
            source, to = at(b, source, source_at), at(b, to, to_at)
            places = [[b.add(b.mul(source_row, int64(i)), b.mul(source_column, int64(j))) for j in range(columns)]
                      for i in range(columns)]
            half = [_multiply(b, matrix, [load(b, source, places[i][j]) for i in range(columns)]) for j in range(columns)]
            for i in range(rows):
                for j, vector in enumerate(_multiply(b, matrix, [half[q][i] for q in range(columns)])):
                    store(b, vector, to, b.add(b.mul(to_row, int64(i)), b.mul(to_column, int64(j))))
        return _void((source, source_at, source_row, source_column, to, to_at, to_row, to_column), emit)
    apply.__name__ = apply.__qualname__ = name
    return intrinsic(apply)


_F43, _F23, _F25 = matrices(4, 3), matrices(2, 3), matrices(2, 5)

_input_4, _input_6 = _transform("_input_4", _F23.inputs), _transform("_input_6", _F43.inputs)
_weights_43, _weights_23 = _transform("_weights_43", _F43.weights), _transform("_weights_23", _F23.weights)
_weights_25 = _transform("_weights_25", _F25.weights)
_output_43, _output_23 = _transform("_output_43", _F43.outputs), _transform("_output_23", _F23.outputs)
_output_25 = _transform("_output_25", _F25.outputs)
_gradient_43, _gradient_23 = _transform("_gradient_43", _F43.outputs.T), _transform("_gradient_23", _F23.outputs.T)
_gradient_25 = _transform("_gradient_25", _F25.outputs.T)
_taps_43, _taps_23 = _transform("_taps_43", _F43.weights.T), _transform("_taps_23", _F23.weights.T)
_taps_25 = _transform("_taps_25", _F25.weights.T)


# ------------------------------------------------------------------------------------------- choosing by m and r

@helper
def image_to_points(m, r, gradient, source, source_at, source_row, to, to_at, step):
    """B^T d B of a tile of a x a inputs, or (``gradient``) A d A^T of one of m x m output gradients."""
    a = m + r - 1
    if not gradient and a == 6:
        _input_6(source, source_at, source_row, LANES, to, to_at, a * step, step)
    elif not gradient:
        _input_4(source, source_at, source_row, LANES, to, to_at, a * step, step)
    elif m == 4:
        _gradient_43(source, source_at, source_row, LANES, to, to_at, a * step, step)
    elif r == 3:
        _gradient_23(source, source_at, source_row, LANES, to, to_at, a * step, step)
    else:
        _gradient_25(source, source_at, source_row, LANES, to, to_at, a * step, step)


@helper
def weights_to_points(m, r, flip, source, source_at, to, to_at, step):
    """G w G^T of a window of r x r taps, one vector behind another; ``flip`` turns the window half round."""
    a, first, row, column = m + r - 1, source_at, r * LANES, LANES
    if flip:
        first, row, column = source_at + (r * r - 1) * LANES, -row, -column
    if m == 4:
        _weights_43(source, first, row, column, to, to_at, a * step, step)
    elif r == 3:
        _weights_23(source, first, row, column, to, to_at, a * step, step)
    else:
        _weights_25(source, first, row, column, to, to_at, a * step, step)


@helper
def points_to_outputs(m, r, source, source_at, step, to, to_at, to_row):
    """A^T p A: m x m outputs."""
    a = m + r - 1
    if m == 4:
        _output_43(source, source_at, a * step, step, to, to_at, to_row, LANES)
    elif r == 3:
        _output_23(source, source_at, a * step, step, to, to_at, to_row, LANES)
    else:
        _output_25(source, source_at, a * step, step, to, to_at, to_row, LANES)


@helper
def points_to_taps(m, r, source, source_at, step, to, to_at):
    """G^T p G: r x r taps, one vector behind another."""
    a = m + r - 1
    if m == 4:
        _taps_43(source, source_at, a * step, step, to, to_at, r * LANES, LANES)
    elif r == 3:
        _taps_23(source, source_at, a * step, step, to, to_at, r * LANES, LANES)
    else:
        _taps_25(source, source_at, a * step, step, to, to_at, r * LANES, LANES)


# ------------------------------------------------------------------------------------------- turning images over

@intrinsic
def _turn_whole(typing, to, to_at, source, source_at, source_step):
    """``transpose`` of LANES by LANES elements to vectors one behind another, without masks."""
    def emit(b, to, to_at, source, source_at, source_step):
        to, source = at(b, to, to_at), at(b, source, source_at)
        rows = [load(b, source, b.mul(source_step, int64(i))) for i in range(LANES)]
        for j, vector in enumerate(transposed(b, rows)):
            store(b, vector, to, int64(j * LANES))
    return _void((to, to_at, source, source_at, source_step), emit)


@helper
def turn(to, to_at, source, source_at, source_step, rows, columns):
    """to[j * LANES + i] = source[i * source_step + j] for i < rows and j < columns, both at most LANES."""
    if rows == LANES and columns == LANES:
        _turn_whole(to, to_at, source, source_at, source_step)
    else:
        transpose(to, to_at, LANES, source, source_at, source_step, rows, columns)


@helper
def gather(image, image_at, channels, height, width, top, left, rows, columns, strip, strip_at):
    """strip[i, j, c] = image[c, top + i, left + j] for c < channels (at most LANES); zeros outside of the image."""
    first = min(columns, max(0, -left))
    last = max(first, min(columns, width - left))
    for i in range(rows):
        to, h = strip_at + i * columns * LANES, top + i
        if h < 0 or h >= height:
            fill(strip, to, 0.0, columns * LANES)
            continue
        fill(strip, to, 0.0, first * LANES)
        for j in range(first, last, LANES):
            turn(strip, to + j * LANES, image, image_at + h * width + left + j, height * width, channels,
                 min(LANES, last - j))
        fill(strip, to + last * LANES, 0.0, (columns - last) * LANES)


@intrinsic
def _scatter(typing, to, to_at, to_step, source, source_at, rows, columns, bias, bias_at, slope):
    """to[j * to_step + i] = leaky(source[i * LANES + j] + bias[j]) for i < rows and j < columns, both at most LANES; the source
    is read in whole vectors."""
    def emit(b, to, to_at, to_step, source, source_at, rows, columns, bias, bias_at, slope):
        to, source, factor = at(b, to, to_at), at(b, source, source_at), splat(b, slope)
        shift = load(b, at(b, bias, bias_at), int64(0), first_lanes(b, columns))
        vectors = []
        for i in range(LANES):
            value = b.fadd(load(b, source, int64(i * LANES)), shift)
            vectors.append(b.select(b.fcmp_ordered("<=", value, ZERO), b.fmul(value, factor), value))
        mask = first_lanes(b, rows)
        end = b.append_basic_block("end")
        for j, vector in enumerate(transposed(b, vectors)):
            following = b.append_basic_block("row")
            b.cbranch(b.icmp_signed("<", int64(j), columns), following, end)
            b.position_at_end(following)
            store(b, vector, to, b.mul(to_step, int64(j)), mask)
        b.branch(end)
        b.position_at_end(end)
    return _void((to, to_at, to_step, source, source_at, rows, columns, bias, bias_at, slope), emit)


@helper
def scatter(strip, strip_at, width, image, image_at, area, filters, bias, bias_at, slope):
    """image[k, j] = strip[j, k] + bias[k], then the slope, for j < width and k < filters (at most LANES); planes of image are
    ``area`` apart."""
    for j in range(0, width, LANES):
        _scatter(image, image_at + j, area, strip, strip_at + j * LANES, min(LANES, width - j), filters, bias, bias_at, slope)


