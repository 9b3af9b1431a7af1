"""The gradient of a convolution by its weights: a matrix product over the outputs of all images.

``dw^T = columns dy^T``: what the taps read (rows of panels, see ``conv_layout.py``) by the output gradients, turned over so that
the filters lie side by side. A task owns a block of the result (some channels, some filters) and goes through a *chunk* of the
images; the sums of the chunks are added in order by a second kernel, so the number of threads changes nothing. How many chunks
there are depends on the shape: large weights give tasks enough without.

For a 1x1 convolution the image (or the output gradient) is itself a matrix with outputs side by side, so the larger of the two
serves as it is and the smaller one is turned over.
"""
from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netdef.kernels import threads
from netdef.kernels.compiled.conv_direct import FROM_IMAGE, FROM_STRIP, IN_PLACE
from netdef.kernels.compiled.conv_dots import HIGH, WIDE, add_up_dots, dots
from netdef.kernels.compiled.conv_layout import (
    channels_of,
    filters_of,
    lay_out,
    pack,
    pointwise,
    region,
    spread,
    taps,
    unpadded,
    up,
)
from netdef.kernels.compiled.simd import COLUMNS, LANES, ROWS, accumulate, copy, fill, transpose
from netdef.kernels.compiled.tile import tile
from netdef.kernels.conv_blocks import Geometry
from netdef.kernels.jit import helper, kernel, prange, thread_id

Array = np.ndarray

LEAST_COLUMNS = 4 * COLUMNS  # of a region; a 1x1 convolution takes an image of so many places as it is
WIDTH = 200  # outputs of a product: with them, the gradients of COLUMNS filters stay in the nearest caches
DOTS_WIDTH = 512  # the same where vectors run along the outputs
MOST_ROWS = 512  # taps of a task: their panels stay in a second-level cache
MOST_TURNED = 4 * COLUMNS  # filters that are turned over at a time
FEW_TAPS = 96  # up to which turning over costs more than vectors along the outputs
CHUNKS = 16  # at most
MOST_SUMS = 1 << 20  # floats of the sums of all chunks, if there is more than one
FROM_STRIP_BY_DOTS, FROM_IMAGE_BY_DOTS = 3, 4  # modes beside those of the forward pass


class _Cut(NamedTuple):
    """The pieces: images and output rows of a region, channels and filters of a task, outputs of a product, chunks of regions;
    floats of the sums of a task's block, and of the parts of a thread's scratch."""

    images: int
    rows: int
    channels: int
    filters: int
    width: int
    chunks: int
    block: int
    strip: int
    panels: int
    turned: int


@lru_cache(maxsize=512)
def _mode(g: Geometry) -> int:
    plain = FROM_STRIP if not unpadded(g) else IN_PLACE if pointwise(g) and g.area >= LEAST_COLUMNS else FROM_IMAGE
    few = math.prod(g.kernel) > 1 and channels_of(g) * math.prod(g.kernel) <= FEW_TAPS and g.area >= 2 * LANES
    return plain + 3 if few else plain


@lru_cache(maxsize=512)
def _cut(g: Geometry) -> _Cut:
    mode, window = _mode(g), math.prod(g.kernel)
    channels = spread(channels_of(g), max(1, MOST_ROWS // window))
    if mode >= FROM_STRIP_BY_DOTS:
        def size(filters: int) -> int:
            return up(channels * window, WIDE) * up(filters, HIGH) * LANES
    else:
        def size(filters: int) -> int:
            return up(channels * window, ROWS) * up(filters, COLUMNS)
    parts_c = g.group * -(-channels_of(g) // channels)
    most = max(1, min(CHUNKS, MOST_SUMS // (parts_c * size(filters_of(g)))))
    images, rows = (1, g.out[0]) if mode == IN_PLACE else region(g, LEAST_COLUMNS, most, most, channels)
    regions = -(-g.images // images) * -(-g.out[0] // rows)
    chunks = min(most, regions)
    parts_f = -(-2 * threads.count() // (parts_c * chunks))  # the only number here that may depend on the threads
    filters = spread(filters_of(g), -(-filters_of(g) // parts_f), COLUMNS)
    by_dots = mode >= FROM_STRIP_BY_DOTS
    width = spread(images * rows * g.out[1], DOTS_WIDTH if by_dots else WIDTH, LANES if by_dots else 1)
    strip = up(images * channels * taps(g, rows).plane, LANES) if mode in (FROM_STRIP, FROM_STRIP_BY_DOTS) else 0
    panels = 0 if mode == IN_PLACE else up(channels * window * width, LANES)
    turned = 0 if by_dots else min(MOST_TURNED, up(filters, COLUMNS)) * width
    return _Cut(images, rows, channels, filters, width, chunks, size(filters), strip, panels, turned)


def _mirrored(g: Geometry) -> bool:
    """Whether image and output gradient change places."""
    return pointwise(g) and g.filters > g.channels


def _mirror(g: Geometry) -> Geometry:
    return replace(g, channels=g.filters, filters=g.channels)


def scratch(g: Geometry) -> int:
    """Floats of scratch: sums of the chunks, and buffers of all threads."""
    g = _mirror(g) if _mirrored(g) else g
    c = _cut(g)
    blocks = g.group * -(-channels_of(g) // c.channels) * -(-filters_of(g) // c.filters)
    return c.chunks * blocks * c.block + threads.count() * (c.strip + c.panels + c.turned)


def backward_weights(g: Geometry, x: Array, dy: Array, scratch: Array, dw: Array) -> None:
    """dw += gradient by the weights; shapes as in the reference."""
    mirrored = _mirrored(g)
    if mirrored:
        g, x, dy = _mirror(g), dy, x
    c, t = _cut(g), taps(g, _cut(g).rows)
    parts = (-(-channels_of(g) // c.channels), -(-filters_of(g) // c.filters))
    size = c.chunks * g.group * math.prod(parts) * c.block
    _sums(x.reshape(-1), dy.reshape(-1), *t, g.images, g.group, channels_of(g), filters_of(g), *g.image, *g.out, *g.stride,
          *g.pad, *c, _mode(g), scratch[size:], scratch[:size])
    how = (c.chunks, g.group, *parts, c.channels * math.prod(g.kernel), c.filters, c.block, t.table.size, filters_of(g))
    if _mode(g) >= FROM_STRIP_BY_DOTS:
        add_up_dots(scratch[:size], *how, dw.reshape(-1))
    else:
        _add_up(scratch[:size], *how, mirrored, dw.reshape(-1))


@kernel("f[1] f[1] i[1] i[1] i i i[1] " + "i " * 23 + "f![1] f![1]")
def _sums(x, dy, phases_h, phases_w, strip_h, pitch, table, images, group, channels, filters, height, width, out_h, out_w,
          stride_h, stride_w, pad_h, pad_w, cut_images, cut_rows, cut_channels, cut_filters, cut_width, chunks, block, strip_size,
          panel_size, turned_size, mode, scratch, sums):
    parts_c = (channels + cut_channels - 1) // cut_channels
    parts_f = (filters + cut_filters - 1) // cut_filters
    bands = (out_h + cut_rows - 1) // cut_rows
    regions = (images + cut_images - 1) // cut_images * bands
    window, area = table.size // channels, out_h * out_w
    plane = phases_h.size * phases_w.size * strip_h * pitch
    across = (cut_filters + COLUMNS - 1) // COLUMNS * COLUMNS
    for task in prange(chunks * group * parts_c * parts_f):
        f, rest = task % parts_f * cut_filters, task // parts_f
        c, rest = rest % parts_c * cut_channels, rest // parts_c
        g, chunk = rest % group, rest // group
        some, wide = min(cut_channels, channels - c), min(cut_filters, filters - f)
        strip = thread_id() * (strip_size + panel_size + turned_size)
        panel = strip + strip_size
        turned = panel + panel_size
        if wide % LANES:  # lanes behind the last filter are worked on, but mean nothing
            fill(scratch, turned, 0.0, turned_size)
        if mode >= FROM_STRIP_BY_DOTS:
            fill(sums, task * block, 0.0, block)
        begin = regions * chunk // chunks
        for r in range(begin, regions * (chunk + 1) // chunks):
            n, y = r // bands * cut_images, r % bands * cut_rows
            count, rows = min(cut_images, images - n), min(cut_rows, out_h - y)
            image = ((n * group + g) * channels + c) * height * width
            if mode in (FROM_STRIP, FROM_STRIP_BY_DOTS):
                for i in range(count):
                    lay_out(x, image + i * group * channels * height * width, some, height, width, stride_h, stride_w,
                            pad_h - y * stride_h, pad_w, phases_h, phases_w, strip_h, pitch, scratch, strip + i * some * plane)
            lines, line = (1, rows * out_w) if pitch == out_w else (rows, out_w)
            for first in range(0, count * rows * out_w, cut_width):
                last = min(first + cut_width, count * rows * out_w)
                if mode in (FROM_STRIP, FROM_STRIP_BY_DOTS):
                    pack(scratch, panel, cut_width, scratch, strip, some * plane, pitch, lines, line, first, last, table, 0,
                         some * window)
                elif mode != IN_PLACE:
                    pack(scratch, panel, cut_width, x, image + y * width, group * channels * height * width, pitch, lines, line,
                         first, last, table, 0, some * window)
                source = ((n * group + g) * filters + f) * area + y * out_w
                if mode >= FROM_STRIP_BY_DOTS:
                    _add_dots(dy, source, group * filters * area, area, rows * out_w, wide, first, last, scratch, panel,
                              cut_width, some * window, sums, task * block)
                    continue
                add = r > begin or first > 0
                for k in range(0, wide, MOST_TURNED):
                    _turn(dy, source + k * area, group * filters * area, area, rows * out_w, min(MOST_TURNED, wide - k), first,
                          last, scratch, turned)
                    for row in range(0, some * window, ROWS):
                        high = min(ROWS, some * window - row)
                        for v in range(k, min(k + MOST_TURNED, wide), COLUMNS):
                            to = task * block + row * across + v
                            b = turned + (v - k) * (last - first)
                            if mode == IN_PLACE:
                                tile(x, image + row * area + first, area, high, scratch, b, COLUMNS, min(COLUMNS, wide - v), sums,
                                     to, across, last - first, add)
                            else:
                                tile(scratch, panel + row * cut_width, cut_width, high, scratch, b, COLUMNS,
                                     min(COLUMNS, wide - v), sums, to, across, last - first, add)


@helper
def _add_dots(dy, dy_at, image_step, area, run, filters, first, last, panels, panel, step, rows, sums, sums_at):
    """Add the products of the outputs first <= q < last of a region, of which an image has ``run``."""
    across = (rows + WIDE - 1) // WIDE * WIDE
    q = first
    while q < last:
        image = q // run
        n = min(last, (image + 1) * run) - q
        source = dy_at + image * image_step + q - image * run
        for k in range(0, filters, HIGH):
            for j in range(0, rows, WIDE):
                dots(dy, source + k * area, area, min(HIGH, filters - k), panels, panel + j * step + q - first, step,
                     min(WIDE, rows - j), sums, sums_at + (k * across + j) * LANES, across, n)
        q += n


@helper
def _turn(dy, dy_at, image_step, area, run, filters, first, last, to, to_at):
    """Output gradients (filters, outputs first <= q < last of a region with ``run`` of them an image) -> panels of COLUMNS
    filters, one row an output."""
    q = first
    while q < last:
        image = q // run
        n = min(LANES, (image + 1) * run - q, last - q)
        source = dy_at + image * image_step + q - image * run
        for k in range(0, filters, LANES):
            place = to_at + k // COLUMNS * COLUMNS * (last - first) + (q - first) * COLUMNS + k % COLUMNS
            transpose(to, place, COLUMNS, dy, source + k * area, area, min(LANES, filters - k), n)
        q += n


@kernel("f[1] " + "i " * 10 + "f![1]")
def _add_up(sums, chunks, group, parts_c, parts_f, cut_rows, cut_filters, block, rows, filters, mirrored, dw):
    across = (cut_filters + COLUMNS - 1) // COLUMNS * COLUMNS
    bands = (cut_rows + LANES - 1) // LANES
    for task in prange(group * parts_c * parts_f * bands):
        part, band = task // bands, task % bands * LANES
        g, c, f = part // (parts_c * parts_f), part // parts_f % parts_c * cut_rows, part % parts_f * cut_filters
        high = max(0, min(LANES, cut_rows - band, rows - c - band))  # the last part has fewer rows
        whole = np.empty(LANES * LANES, np.float32)
        turned = np.empty(LANES * LANES, np.float32)
        for k in range(0, min(cut_filters, filters - f), LANES):
            wide = min(LANES, cut_filters - k, filters - f - k)
            for chunk in range(chunks):
                for i in range(high):
                    source = (chunk * group * parts_c * parts_f + part) * block + (band + i) * across + k
                    if chunk == 0:
                        copy(whole, i * LANES, sums, source, wide)
                    else:
                        accumulate(whole, i * LANES, sums, source, wide)
            if mirrored:
                for i in range(high):
                    accumulate(dw, (g * rows + c + band + i) * filters + f + k, whole, i * LANES, wide)
            else:
                transpose(turned, 0, LANES, whole, 0, LANES, high, wide)
                for i in range(wide):
                    accumulate(dw, (g * filters + f + k + i) * rows + c + band, turned, i * LANES, high)
