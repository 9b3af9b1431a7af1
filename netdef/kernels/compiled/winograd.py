"""Winograd convolution, forward and backward by the data: 3x3 and 5x5 windows with stride 1, several times fewer multiplications.

An image is cut into tiles that give m x m outputs each from a x a inputs, a = m + r - 1. Three stages:

1. tiles -> points, U[f, t, c] = B^T d B at each of the a x a points f, for tile t and channel c;
2. at each point a matrix product over the channels, P[f, t, k] = sum over c of U[f, t, c] V[f, c, k] with V = G w G^T;
3. points -> outputs, A^T P A, with the bias and the slope on the way out.

Vectors run over channels in 1 and filters in 2 and 3. There are two ways through the stages. Where V is small, each thread
takes chunks of tiles through all of them, and a chunk stays in its cache. Where V is large, threads share the stages of one
larger chunk: first the channels, then blocks of filters, for which V is made on the spot and never stored whole.

Accuracy: over the layers of VGG-16, ResNet-50 and CaffeNet the largest error was 2e-5 of the largest result with six points, and
2e-6 with four (3e-5 is tested), where a plain sum has 1e-6: the points -2 and 2 make numbers up to 100 times as large, which
then cancel. A NaN or an infinity in the input makes NaN of the outputs of all tiles that read it, also where no window covers it.

Results do not depend on the number of threads: each output is a sum over all channels in one order.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels import threads
from netdef.kernels.compiled.simd import LANES
from netdef.kernels.compiled.winograd_plan import (
    ACROSS,
    BLOCK,
    CHUNK,
    DEPTH,
    DOWN,
    FILTERS,
    GROUP,
    HEIGHT,
    IMAGES,
    OUT_H,
    OUT_W,
    P_POINT,
    U_POINT,
    U_TILE,
    V_POINT,
    WIDTH,
    M,
    Plan,
    R,
    aligned,
    plan,
    suits,
)
from netdef.kernels.compiled.winograd_stages import (
    block_of_weights,
    make_points,
    multiply_points,
    points_to_image,
    tiles_to_points,
)
from netdef.kernels.compiled.winograd_weights import backward_weights
from netdef.kernels.conv_blocks import Geometry
from netdef.kernels.jit import kernel, prange, thread_id

Array = np.ndarray

__all__ = ["backward_data", "backward_weights", "forward", "scratch", "suits", "transform_weights"]


def scratch(g: Geometry, which: str, variant: str) -> int:
    """Elements of float32 scratch that a pass takes."""
    return plan(g, variant, which).scratch


def forward(g: Geometry, variant: str, x: Array, w: Array, bias: Array | None, slope: float | None, scratch: Array, out: Array,
            kept: Array | None = None) -> None:
    """out = leaky(convolution of x by w, plus bias); a slope of None leaves it. ``kept`` is what ``transform_weights`` gave."""
    if bias is None:
        bias = np.zeros(g.filters, np.float32)
    _run(plan(g, variant, "forward"), False, x, w, bias, 1.0 if slope is None else slope, scratch, out, kept)


def backward_data(g: Geometry, variant: str, dy: Array, w: Array, scratch: Array, dx: Array) -> None:
    """dx = gradient by the input: dy convolved by the weights turned half round, channels and filters exchanged."""
    _run(plan(g, variant, "backward_data"), True, dy, w, np.zeros(g.channels, np.float32), 1.0, scratch, dx, None)


def transform_weights(g: Geometry, variant: str, w: Array) -> Array:
    """V of a forward pass, for a caller whose weights stay as they are."""
    p = plan(g, variant, "forward")
    kept = np.zeros(p.weights, np.float32)
    _all_weights(w.reshape(-1), p.sizes, False, kept)
    return kept


def _run(p: Plan, turned: bool, x: Array, w: Array, bias: Array, slope: float, scratch: Array, out: Array,
         kept: Array | None) -> None:
    x, w, out, free = x.reshape(-1), w.reshape(-1), out.reshape(-1), aligned(scratch, p)
    if p.by_tiles:
        if kept is None:
            kept = free[:p.weights]
            _all_weights(w, p.sizes, turned, kept)
        _by_tiles(x, kept, bias, slope, p.sizes, p.chunks, p.own, free[p.weights:], out)
        return
    blocks = -(-int(p.sizes[FILTERS]) // int(p.sizes[BLOCK]))
    for group in range(int(p.sizes[GROUP])):
        for first in range(0, p.rows, int(p.sizes[CHUNK])):
            last = min(p.rows, first + int(p.sizes[CHUNK]))
            parts = min(last - first, max(1, threads.count() // blocks))  # more threads than blocks: they share the tiles too
            make_points(x, x, False, p.sizes, group, first, last, p.shared, p.own, free)
            _by_filters(w, free if kept is None else kept, kept is not None, turned, bias, slope, p.sizes, group, first, last,
                        parts, p.shared, p.own, free, out)


@kernel("f[1] i[1] i f![1]")
def _all_weights(w, s, turned, v):
    blocks = (s[FILTERS] + s[BLOCK] - 1) // s[BLOCK]
    points = (s[M] + s[R] - 1) ** 2
    for task in prange(s[GROUP] * blocks):
        group, first = task // blocks, task % blocks * s[BLOCK]
        taps = np.empty(s[R] * s[R] * LANES * LANES, np.float32)
        block_of_weights(s, w, turned, group, first, min(s[BLOCK], s[FILTERS] - first), taps, 0, v, task * points * s[V_POINT])


@kernel("f[1] f[1] f[1] f i[1] i i f![1] f![1]")
def _by_tiles(x, v, bias, slope, s, chunks, own, scratch, out):
    points, depth, filters = (s[M] + s[R] - 1) ** 2, s[DEPTH], s[FILTERS]
    blocks = (filters + s[BLOCK] - 1) // s[BLOCK]
    area, out_area = s[HEIGHT] * s[WIDTH], s[OUT_H] * s[OUT_W]
    for task in prange(s[GROUP] * chunks):
        group, first = task // chunks, task % chunks * s[CHUNK]
        last = min(s[IMAGES] * s[DOWN], first + s[CHUNK])
        u = thread_id() * own
        p = u + points * s[U_POINT]
        strip = p + points * s[P_POINT]
        for c in range(0, depth, LANES):
            tiles_to_points(s, 0, x, (group * depth + c) * area, s[GROUP] * depth * area, min(LANES, depth - c), first, last,
                            scratch, strip, scratch, u + c, s[U_TILE], s[U_POINT])
        for block in range(blocks):
            k = block * s[BLOCK]
            multiply_points(s, scratch, u, v, (group * blocks + block) * points * s[V_POINT], min(s[BLOCK], filters - k),
                            scratch, p + k, (last - first) * s[ACROSS])
        for k in range(0, filters, LANES):
            points_to_image(s, scratch, p + k, min(LANES, filters - k), first, last, bias, group * filters + k, slope,
                            scratch, strip, out, (group * filters + k) * out_area)


@kernel("f[1] f[1] i i f[1] f i[1] i i i i i i f![1] f![1]")
def _by_filters(w, v, ready, turned, bias, slope, s, group, begin, end, parts, shared, own, scratch, out):
    points, filters = (s[M] + s[R] - 1) ** 2, s[FILTERS]
    blocks = (filters + s[BLOCK] - 1) // s[BLOCK]
    for task in prange(blocks * parts):
        block, part = task % blocks, task // blocks
        first, last = begin + part * (end - begin) // parts, begin + (part + 1) * (end - begin) // parts
        k, k_all = block * s[BLOCK], group * filters + block * s[BLOCK]
        width, done = min(s[BLOCK], filters - k), (first - begin) * s[ACROSS]
        place = shared + thread_id() * own
        p = place + points * s[V_POINT]
        strip = p + points * s[P_POINT]
        if ready:
            place = (group * blocks + block) * points * s[V_POINT]
        else:
            block_of_weights(s, w, turned, group, k, width, scratch, strip, scratch, place)
        multiply_points(s, scratch, done * s[U_TILE], v, place, width, scratch, p, (last - first) * s[ACROSS])
        for i in range(0, width, LANES):
            points_to_image(s, scratch, p + i, min(LANES, width - i), first, last, bias, k_all + i, slope,
                            scratch, strip, out, (k_all + i) * s[OUT_H] * s[OUT_W])
