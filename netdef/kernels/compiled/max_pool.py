"""Max pooling forward where windows step by one or two columns: all outputs of a row side by side in vectors.

For every place of the window the values that it meets for LANES outputs are one vector (with a step of two, the even lanes of
two), and so are their places in the plane. A value replaces the best one only if it is larger, so the first maximum in
scan order wins, and a NaN never does. Lanes beyond the image are masked out of the load.
"""
from __future__ import annotations

from typing import Any

from netdef.kernels.compiled.simd import I32, LANES, VECTOR, _void, at, first_lanes, for_vectors, int64, lanes, load, splat, store
from netdef.kernels.jit import cgutils, intrinsic, ir, kernel, prange
from netdef.kernels.reference.pooling import LOWEST as _LOWEST

PLACES = ir.VectorType(I32, LANES)
LOWEST = ir.Constant(VECTOR, [_LOWEST] * LANES)
NOWHERE = ir.Constant(PLACES, [-1] * LANES)


def _strided(b: Any, row: Any, column: Any, step: int, width: Any) -> Any:
    """The values at ``column``, ``column + step``, ... of a row; LOWEST beyond its ``width``, which None says cannot be."""
    def part(start: Any) -> Any:
        if width is None:
            return load(b, row, start)
        mask = b.and_(first_lanes(b, b.sub(width, start)), b.not_(first_lanes(b, b.neg(start))))
        return b.select(mask, load(b, row, start, mask), LOWEST)

    low = part(column)
    if step == 1:
        return low
    return b.shuffle_vector(low, part(b.add(column, int64(LANES))), lanes(list(range(0, 2 * LANES, 2))))


def _row(step: int) -> Any:
    """The intrinsic for windows ``step`` columns apart."""
    def row(typing, out, mask, out_at, n, x, plane_at, top, bottom, width, pad, columns):
        def emit(b, out, mask, out_at, n, x, plane_at, top, bottom, width, pad, columns):
            out, mask, plane = at(b, out, out_at), at(b, mask, out_at, I32), at(b, x, plane_at)
            best, place = (cgutils.alloca_once_value(b, start) for start in (LOWEST, NOWHERE))
            apart = ir.Constant(PLACES, [step * k for k in range(LANES)])

            def windows(first, within):
                """Goes through the places of the windows whose first columns are ``first``, ``first + step``, ..."""
                with cgutils.for_range(b, b.sub(bottom, top)) as rows:
                    line = b.mul(b.add(top, rows.index), width)
                    with cgutils.for_range(b, columns) as taps:
                        column = b.add(first, taps.index)
                        value = _strided(b, at(b, plane, line), column, step, within)
                        here = b.add(splat(b, b.trunc(b.add(line, column), I32), PLACES), apart)
                        better = b.fcmp_ordered(">", value, b.load(best))
                        b.store(b.select(better, value, b.load(best)), best)
                        b.store(b.select(better, here, b.load(place)), place)

            def body(i, tail):
                b.store(LOWEST, best)
                b.store(NOWHERE, place)
                first = b.sub(b.mul(i, int64(step)), pad)
                end = b.add(b.add(first, columns), int64(step * LANES - 1))
                inside = b.and_(b.icmp_signed(">=", first, int64(0)), b.icmp_signed("<=", end, width))
                with b.if_else(inside) as (yes, no):
                    with yes:
                        windows(first, None)
                    with no:
                        windows(first, width)
                store(b, b.load(best), out, i, tail)
                store(b, b.bitcast(b.load(place), VECTOR), b.bitcast(mask, out.type), i, tail)
            for_vectors(b, n, body)
        return _void((out, mask, out_at, n, x, plane_at, top, bottom, width, pad, columns), emit)
    row.__name__ = row.__qualname__ = f"max_row_{step}"
    return intrinsic(row)


_row_1, _row_2 = _row(1), _row(2)


@kernel("f[1] i i i i i i i i i i i f![1] j![1]")
def max_pool_rows(x, planes, height, width, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, out_h, out_w, out, mask):
    """out and mask (planes, out_h, out_w) of x (planes, height, width); stride_w is 1 or 2."""
    for p in prange(planes):
        for y in range(out_h):
            top = max(y * stride_h - pad_h, 0)
            bottom = max(min(y * stride_h - pad_h + kernel_h, height), top)
            to = (p * out_h + y) * out_w
            if stride_w == 1:
                _row_1(out, mask, to, out_w, x, p * height * width, top, bottom, width, pad_w, kernel_w)
            else:
                _row_2(out, mask, to, out_w, x, p * height * width, top, bottom, width, pad_w, kernel_w)
