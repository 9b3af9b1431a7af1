"""The stages of a Winograd convolution for one block of channels or filters, as kernels call them.

``s`` is ``Plan.sizes``. Where an array and a number stand together (``strip, strip_at``), the number is the place of the first
element.
"""
from __future__ import annotations

from netdef.kernels.compiled.simd import LANES, ROWS
from netdef.kernels.compiled.tile import tile
from netdef.kernels.compiled.winograd_plan import (
    ACROSS,
    BLOCK,
    DEPTH,
    DOWN,
    FILTERS,
    GROUP,
    HEIGHT,
    OUT_H,
    OUT_W,
    P_POINT,
    P_TILE,
    PAD_H,
    PAD_W,
    PANEL,
    STRIP,
    U_POINT,
    U_TILE,
    V_POINT,
    WIDTH,
    M,
    R,
)
from netdef.kernels.compiled.winograd_transforms import (
    gather,
    image_to_points,
    points_to_outputs,
    scatter,
    turn,
    weights_to_points,
)
from netdef.kernels.jit import helper, kernel, prange, thread_id


@helper
def tiles_to_points(s, gradient, image, image_at, image_step, channels, first, last, strip, strip_at, to, to_at, tile_step, step):
    """Stage 1 for at most LANES channels and the tile rows from ``first`` to ``last``: the inputs, or the output gradient."""
    m, down, across = s[M], s[DOWN], s[ACROSS]
    height, width, top, left, extent = s[HEIGHT], s[WIDTH], -s[PAD_H], -s[PAD_W], m + s[R] - 1
    if gradient:
        height, width, top, left, extent = s[OUT_H], s[OUT_W], 0, 0, m
    columns = (across - 1) * m + extent
    row = first
    while row < last:
        image_number = row // down
        start = row - image_number * down
        count = min(last - row, down - start, s[STRIP])
        gather(image, image_at + image_number * image_step, channels, height, width, start * m + top, left,
               (count - 1) * m + extent, columns, strip, strip_at)
        for i in range(count):
            for j in range(across):
                image_to_points(m, s[R], gradient, strip, strip_at + (i * columns + j) * m * LANES, columns * LANES,
                                to, to_at + ((row - first + i) * across + j) * tile_step, step)
        row += count


@helper
def multiply_points(s, u, u_at, v, v_at, width, p, p_at, tiles):
    """Stage 2 for one block of filters, of which ``width`` are used."""
    points = (s[M] + s[R] - 1) ** 2
    for f in range(points):
        for k in range(0, width, s[PANEL]):
            for t in range(0, tiles, ROWS):
                tile(u, u_at + f * s[U_POINT] + t * s[U_TILE], s[U_TILE], min(ROWS, tiles - t),
                     v, v_at + f * s[V_POINT] + k * s[DEPTH], s[PANEL], min(s[PANEL], width - k),
                     p, p_at + f * s[P_POINT] + t * s[P_TILE] + k, s[P_TILE], s[DEPTH], 0)


@helper
def points_to_image(s, p, p_at, filters, first, last, bias, bias_at, slope, strip, strip_at, out, out_at):
    """Stage 3 for at most LANES filters and the tile rows from ``first`` to ``last``."""
    m, down, across, area = s[M], s[DOWN], s[ACROSS], s[OUT_H] * s[OUT_W]
    pitch = across * m * LANES
    for row in range(first, last):
        image_number = row // down
        h = (row - image_number * down) * m
        for j in range(across):
            points_to_outputs(m, s[R], p, p_at + ((row - first) * across + j) * s[P_TILE], s[P_POINT],
                              strip, strip_at + j * m * LANES, pitch)
        to = out_at + image_number * s[GROUP] * s[FILTERS] * area + h * s[OUT_W]
        for i in range(min(m, s[OUT_H] - h)):
            scatter(strip, strip_at + i * pitch, s[OUT_W], out, to + i * s[OUT_W], area, filters, bias, bias_at, slope)


@helper
def block_of_weights(s, w, turned, group, first, width, taps, taps_at, v, v_at):
    """V of one block: the ``width`` filters from ``first`` on, every channel; ``taps`` has room for r * r * LANES vectors."""
    depth, filters, size, panel = s[DEPTH], s[FILTERS], s[R] * s[R], s[PANEL]
    lane_step, depth_step, most = depth * size, size, LANES  # windows of channels lie one behind another: many at once
    if turned:
        lane_step, depth_step, most = size, filters * size, 1
    start = group * depth * filters * size + first * lane_step
    for c in range(0, depth, most):
        count = min(most, depth - c)
        for k in range(0, width, LANES):
            for q in range(0, count * size, LANES):
                turn(taps, taps_at + q * LANES, w, start + k * lane_step + c * depth_step + q, lane_step,
                     min(LANES, width - k), min(LANES, count * size - q))
            to = v_at + k // panel * panel * depth + k % panel + c * panel
            for i in range(count):
                weights_to_points(s[M], s[R], turned, taps, taps_at + i * size * LANES, v, to + i * panel, s[V_POINT])


@helper
def _some_points(s, gradient, image, group, channels, panel, c, begin, first, last, tiles, to, step, strip, scratch):
    """The points of one vector of channels from ``c`` on, in panels of ``panel`` channels with ``tiles`` rows."""
    area = s[HEIGHT] * s[WIDTH]
    if gradient:
        area = s[OUT_H] * s[OUT_W]
    place = to + c // panel * panel * tiles + (first - begin) * s[ACROSS] * panel + c % panel
    tiles_to_points(s, gradient, image, (group * channels + c) * area, s[GROUP] * channels * area, min(LANES, channels - c),
                    first, last, scratch, strip, scratch, place, panel, step)


@kernel("f[1] f[1] i i[1] i i i i i f![1]")
def make_points(x, dy, both, s, group, begin, end, shared, own, scratch):
    """Stage 1 of a chunk that threads share, for the tile rows from ``begin`` to ``end``: U[f, panel of channels, t, c] and, if
    ``both``, behind it Q[f, block of filters, t, k], the points of the output gradient.
    """
    points, tiles = (s[M] + s[R] - 1) ** 2, (end - begin) * s[ACROSS]
    mine = (s[DEPTH] + LANES - 1) // LANES
    blocks = mine
    if both:
        blocks += (s[FILTERS] + LANES - 1) // LANES
    parts = min(end - begin, max(1, 16 // blocks))  # of the chunk: with few channels, threads share its tile rows too
    for task in prange(blocks * parts):
        block, part = task % blocks, task // blocks
        first, last = begin + part * (end - begin) // parts, begin + (part + 1) * (end - begin) // parts
        strip = shared + thread_id() * own
        if block < mine:
            _some_points(s, 0, x, group, s[DEPTH], s[U_TILE], block * LANES, begin, first, last, tiles,
                         0, s[U_POINT], strip, scratch)
        else:
            _some_points(s, 1, dy, group, s[FILTERS], s[BLOCK], (block - mine) * LANES, begin, first, last, tiles,
                         points * s[U_POINT], s[V_POINT], strip, scratch)
