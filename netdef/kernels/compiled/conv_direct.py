"""Convolution forward as one matrix product without its columns: weights by panels (see ``conv_layout.py``).

The weights are read where they lie, ROWS filters at a time. A 1x1 convolution over large maps reads the image in place too; over
small maps, panels hold the outputs of several images. Bias and activation are put on as results leave the cache.
"""
from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from netdef.kernels import threads
from netdef.kernels.compiled import conv_layout
from netdef.kernels.compiled.conv_layout import channels_of, filters_of, lay_out, pack, pointwise, taps, turn, unpadded, up
from netdef.kernels.compiled.simd import COLUMNS, LANES, ROWS, fill, finish
from netdef.kernels.compiled.tile import tile
from netdef.kernels.conv_blocks import Geometry
from netdef.kernels.jit import helper, kernel, prange, thread_id

Array = np.ndarray

WIDE_MAP = 16 * LANES  # places from which a 1x1 convolution takes the image as it is; images of fewer share panels
FROM_STRIP, FROM_IMAGE, IN_PLACE = range(3)  # where panels come from; in place: there are none


@lru_cache(maxsize=512)
def _parts(g: Geometry) -> tuple[int, int, int]:
    """Floats of a thread's scratch: strip, panels, sums."""
    c, t = conv_layout.cut(g), taps(g, conv_layout.cut(g).rows)
    strip = 0 if unpadded(g) else c.images * channels_of(g) * t.plane
    whole = c.depth == t.table.size
    return up(strip, LANES), c.depth * c.width, (ROWS if whole else up(c.filters, ROWS)) * (c.width + LANES)


def scratch(g: Geometry) -> int:
    """Floats of scratch, for all threads."""
    return sum(_parts(g)) * threads.count()


def forward(g: Geometry, x: Array, w: Array, bias: Array | None, slope: float | None, scratch: Array, out: Array) -> None:
    """out = convolution of x by w, plus bias, through a leaky ReLU unless ``slope`` is None; shapes as in the reference."""
    c, (strip, panels, sums) = conv_layout.cut(g), _parts(g)
    t = taps(g, c.rows)
    mode = FROM_STRIP if not unpadded(g) else IN_PLACE if pointwise(g) and g.area >= WIDE_MAP else FROM_IMAGE
    bias = np.zeros(g.filters, np.float32) if bias is None else bias
    _forward(x.reshape(-1), w.reshape(-1), bias, *t, g.images, g.group, channels_of(g), filters_of(g), *g.image, *g.out,
             *g.stride, *g.pad, *c, strip, panels, sums, mode, 1.0 if slope is None else slope, scratch, out.reshape(-1))


def scratch_back(g: Geometry) -> int:
    """Floats of scratch for ``backward_data``: the weights turned over, and buffers of all threads."""
    return _weights(g) + scratch(_exchanged(g))


def backward_data(g: Geometry, dy: Array, w: Array, scratch: Array, dx: Array) -> None:
    """dx = gradient by the image of a pointwise convolution: a forward pass from dy to dx, with the weights turned over."""
    turned = scratch[:_weights(g)]
    turn(w.reshape(-1), g.group, filters_of(g), channels_of(g), turned)
    forward(_exchanged(g), dy, turned, None, None, scratch[_weights(g):], dx)


def _weights(g: Geometry) -> int:
    return up(g.filters * channels_of(g), LANES)


def _exchanged(g: Geometry) -> Geometry:
    return replace(g, channels=g.filters, filters=g.channels)


@kernel("f[1] f[1] f[1] i[1] i[1] i i i[1] " + "i " * 21 + "f f![1] f![1]")
def _forward(x, w, bias, phases_h, phases_w, strip_h, pitch, table, images, group, channels, filters, height, width, out_h,
             out_w, stride_h, stride_w, pad_h, pad_w, cut_images, cut_rows, cut_filters, cut_width, cut_depth, strip_size,
             panel_size, sums_size, mode, slope, scratch, out):
    parts = (filters + cut_filters - 1) // cut_filters
    bands = (out_h + cut_rows - 1) // cut_rows
    blocks = (images + cut_images - 1) // cut_images
    deep = table.size
    plane = phases_h.size * phases_w.size * strip_h * pitch
    for task in prange(blocks * group * bands * parts):
        part, rest = task % parts, task // parts
        band, rest = rest % bands, rest // bands
        g, block = rest % group, rest // group
        n, y, k = block * cut_images, band * cut_rows, part * cut_filters
        count, rows, wide_filters = min(cut_images, images - n), min(cut_rows, out_h - y), min(cut_filters, filters - k)
        strip = thread_id() * (strip_size + panel_size + sums_size)
        panels = strip + strip_size
        sums = panels + panel_size
        image = (n * group + g) * channels * height * width
        if mode == FROM_STRIP:
            for i in range(count):
                lay_out(x, image + i * group * channels * height * width, channels, height, width, stride_h, stride_w,
                        pad_h - y * stride_h, pad_w, phases_h, phases_w, strip_h, pitch, scratch, strip + i * channels * plane)
        if count * rows * out_w % LANES:  # lanes behind the last output are worked on, but mean nothing
            fill(scratch, panels, 0.0, panel_size)
        lines, line = (1, rows * out_w) if pitch == out_w else (rows, out_w)
        for first in range(0, count * rows * out_w, cut_width):
            last = min(first + cut_width, count * rows * out_w)
            for begin in range(0, deep, cut_depth):
                depth = min(cut_depth, deep - begin)
                for q in range(first, last, COLUMNS):
                    end, panel = min(q + COLUMNS, last), panels + (q - first) * depth
                    if mode == FROM_STRIP:
                        pack(scratch, panel, COLUMNS, scratch, strip, channels * plane, pitch, lines, line, q, end, table, begin,
                             depth)
                    elif mode == FROM_IMAGE or end - q < COLUMNS:
                        pack(scratch, panel, COLUMNS, x, image + y * width, group * channels * height * width, pitch, lines,
                             line, q, end, table, begin, depth)
                for row in range(0, wide_filters, ROWS):
                    high = min(ROWS, wide_filters - row)
                    total = sums + (row * (cut_width + LANES) if cut_depth < deep else 0)
                    weights = (g * filters + k + row) * deep + begin
                    for q in range(first, last, COLUMNS):
                        if mode == IN_PLACE and q + COLUMNS <= last:
                            source = image + begin * height * width + y * width + q
                            tile(w, weights, deep, high, x, source, height * width, COLUMNS, scratch, total + q - first,
                                 cut_width + LANES, depth, begin > 0)
                        else:
                            tile(w, weights, deep, high, scratch, panels + (q - first) * depth, COLUMNS, min(COLUMNS, last - q),
                                 scratch, total + q - first, cut_width + LANES, depth, begin > 0)
                    if begin + depth == deep:
                        f = g * filters + k + row
                        for i in range(high):
                            _leave(scratch, total + i * (cut_width + LANES), first, last, rows * out_w, out,
                                   ((n * group * filters + f + i) * out_h + y) * out_w, group * filters * out_h * out_w,
                                   bias[f + i], slope)


@helper
def _leave(sums, sums_at, first, last, area, out, out_at, image_step, bias, slope):
    """The sums of the outputs first <= q < last of one filter -> where they belong; a region has ``area`` outputs an image."""
    q = first
    while q < last:
        image = q // area
        end = min(last, (image + 1) * area)
        finish(out, out_at + image * image_step + q - image * area, sums, sums_at + q - first, end - q, bias, slope)
        q = end
