"""Sums of products along the outputs, for weights so small that turning the output gradients over would be most of the work.

Both factors have the outputs side by side: HIGH filters of dy by WIDE rows of panels, a vector of each at a time. The sums are
vectors too, one for each (filter, tap), and stay in memory between the calls; their lanes are added together at the very end.
"""
from __future__ import annotations

from typing import Any

from netdef.kernels.compiled.simd import (
    LANES,
    VECTOR,
    _void,
    at,
    counted,
    first_lanes,
    int64,
    load,
    multiply_add,
    store,
    total,
)
from netdef.kernels.jit import intrinsic, kernel, prange

HIGH, WIDE = (4, 5) if LANES == 16 else (2, 5)
"""Filters and taps at once: windows of 5x5 over one or three channels come out even."""


def _rows(b: Any, start: Any, step: Any, count: Any, most: int) -> list[Any]:
    """Pointers to ``most`` rows, of which those from ``count`` on repeat the last."""
    last = b.sub(count, int64(1))
    return [at(b, start, b.mul(b.select(b.icmp_signed("<", int64(i), count), int64(i), last), step)) for i in range(most)]


@intrinsic
def dots(typing, dy, dy_at, dy_step, filters, panel, panel_at, panel_step, taps, sums, sums_at, sums_step, n):
    """sums[(k * sums_step + j) * LANES + lane] += sum of dy[k * dy_step + i] * panel[j * panel_step + i] over the lane's i < n.

    For HIGH filters k and WIDE taps j; those from ``filters`` and ``taps`` on repeat the last, and mean nothing.
    """
    def emit(b, dy, dy_at, dy_step, filters, panel, panel_at, panel_step, taps, sums, sums_at, sums_step, n):
        left = _rows(b, at(b, dy, dy_at), dy_step, filters, HIGH)
        right = _rows(b, at(b, panel, panel_at), panel_step, taps, WIDE)
        to = at(b, sums, sums_at)
        places = [b.mul(b.add(b.mul(sums_step, int64(k)), int64(j)), int64(LANES)) for k in range(HIGH) for j in range(WIDE)]

        def products(i: Any, mask: Any, sums: list[Any]) -> list[Any]:
            some = [load(b, p, i, mask) for p in left]
            found = list(sums)
            for j, p in enumerate(right):
                vector = load(b, p, i, mask)
                for k in range(HIGH):
                    found[k * WIDE + j] = multiply_add(b, some[k], vector, sums[k * WIDE + j])
            return found

        start = [load(b, to, place) for place in places]
        whole = b.and_(n, int64(-LANES))
        summed = counted(b, int64(0), whole, start, lambda i, sums: products(i, None, sums), LANES)
        rest = b.block
        with b.if_then(b.icmp_signed("<", whole, n)):
            last = products(whole, first_lanes(b, b.sub(n, whole)), summed)
            tail = b.block
        results = [b.phi(VECTOR) for _ in places]
        for result, place, early, late in zip(results, places, summed, last, strict=True):
            result.add_incoming(early, rest)
            result.add_incoming(late, tail)
            store(b, result, to, place)
    return _void((dy, dy_at, dy_step, filters, panel, panel_at, panel_step, taps, sums, sums_at, sums_step, n), emit)


@kernel("f[1] " + "i " * 9 + "f![1]")
def add_up_dots(sums, chunks, group, parts_c, parts_f, cut_rows, cut_filters, block, rows, filters, dw):
    """dw += the sums of all chunks, lane after lane and chunk after chunk."""
    across = (cut_rows + WIDE - 1) // WIDE * WIDE
    for task in prange(group * parts_c * parts_f):
        g, c, f = task // (parts_c * parts_f), task // parts_f % parts_c * cut_rows, task % parts_f * cut_filters
        for k in range(min(cut_filters, filters - f)):
            for j in range(min(cut_rows, rows - c)):
                value = total(sums, task * block + (k * across + j) * LANES, LANES)
                for chunk in range(1, chunks):
                    source = (chunk * group * parts_c * parts_f + task) * block
                    value += total(sums, source + (k * across + j) * LANES, LANES)
                dw[(g * filters + f + k) * rows + c + j] += value
