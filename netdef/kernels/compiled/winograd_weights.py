"""Winograd's gradient by the weights: the forward pass read backwards.

The forward pass is linear in the weights: P = U V at each point, V = G w G^T. So dw = G^T dV G with dV[f, k, c] = sum over
tiles t of Q[f, t, k] U[f, t, c], where U are the points of the inputs as in the forward pass, and Q = A dy A^T those of the
output gradient. The sum over all tiles goes chunk by chunk, and each chunk's dV is turned into taps and added to dw at once: that
takes a few operations for each tap, and dV is never stored whole. Chunks follow from the shape alone, and what a chunk adds to
a number of dw is summed by one thread: results do not depend on the number of threads.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled.simd import LANES, ROWS, accumulate, transpose
from netdef.kernels.compiled.tile import tile_columns
from netdef.kernels.compiled.winograd_plan import (
    ACROSS,
    BLOCK,
    CHUNK,
    DEPTH,
    FILTERS,
    P_POINT,
    PANEL,
    U_POINT,
    V_POINT,
    M,
    R,
    aligned,
    plan,
)
from netdef.kernels.compiled.winograd_stages import make_points
from netdef.kernels.compiled.winograd_transforms import points_to_taps
from netdef.kernels.conv_blocks import Geometry
from netdef.kernels.jit import helper, kernel, prange, thread_id

Array = np.ndarray


def backward_weights(g: Geometry, variant: str, x: Array, dy: Array, scratch: Array, dw: Array) -> None:
    """dw += gradient by the weights."""
    p = plan(g, variant, "backward_weights")
    x, dy, free, total = x.reshape(-1), dy.reshape(-1), aligned(scratch, p), dw.reshape(-1)
    for group in range(g.group):
        for first in range(0, p.rows, int(p.sizes[CHUNK])):
            last = min(p.rows, first + int(p.sizes[CHUNK]))
            make_points(x, dy, True, p.sizes, group, first, last, p.shared, p.own, free)
            _sums(p.sizes, group, (last - first) * int(p.sizes[ACROSS]), p.shared, p.own, free, total)


@kernel("i[1] i i i i f![1] f![1]")
def _sums(s, group, tiles, shared, own, scratch, dw):
    """dw += G^T (the chunk's dV) G, a panel of channels of a block of filters in each task."""
    points, depth, filters, panel = (s[M] + s[R] - 1) ** 2, s[DEPTH], s[FILTERS], s[PANEL]
    panels = (depth + panel - 1) // panel
    for task in prange((filters + s[BLOCK] - 1) // s[BLOCK] * panels):
        k, c = task // panels * s[BLOCK], task % panels * panel
        width, count = min(panel, depth - c), min(s[BLOCK], filters - k)
        sums = shared + thread_id() * own
        for f in range(points):
            for i in range(0, count, ROWS):
                tile_columns(scratch, points * s[U_POINT] + f * s[V_POINT] + k * tiles + i, s[BLOCK],
                             scratch, f * s[U_POINT] + c * tiles, panel, width,
                             scratch, sums + f * s[P_POINT] + i * panel, panel, tiles, 0)
        for i in range(count):
            _add_taps(s, scratch, sums + i * panel, width, sums + points * s[P_POINT], dw,
                      ((group * filters + k + i) * depth + c) * s[R] * s[R])


@helper
def _add_taps(s, scratch, at, width, free, dw, to):
    """dw[c, tap] += the taps of the sums of ``width`` channels that lie side by side; ``free`` has room for one window of
    vectors and one of each channel.
    """
    size = s[R] * s[R]
    lines = free + size * LANES
    for c in range(0, width, LANES):
        points_to_taps(s[M], s[R], scratch, at + c, s[P_POINT], scratch, free)
        for q in range(0, size, LANES):
            transpose(scratch, lines + c * size + q, size, scratch, free + q * LANES, LANES,
                      min(LANES, size - q), min(LANES, width - c))
    accumulate(dw, to, scratch, lines, width * size)
