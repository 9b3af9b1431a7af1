"""The gradient of a convolution by its image: columns of gradients, added up on the image at once.

For each tap, the gradients that it sends back are a row of ``w^T dy``, (channels * taps) by (outputs), with the filters as depth.
ROWS of these rows at a time come out of the tile and are added to the strip of their channel (see ``conv_layout.py``), where a
row of outputs is one run for any stride and dilation. So nothing is multiplied by padding, and the columns never leave a
first-level cache. A task owns some channels of one image. A Deconvolution's forward pass is this too.
"""
from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netdef.kernels import threads
from netdef.kernels.compiled.conv_layout import (
    MOST_TILES,
    PANEL,
    STRIP,
    TURNS,
    Taps,
    channels_of,
    filters_of,
    pack,
    spread,
    taps,
    turn,
    up,
)
from netdef.kernels.compiled.depthwise import SLACK, _reach, _weave
from netdef.kernels.compiled.simd import (
    COLUMNS,
    I64,
    LANES,
    ROWS,
    _void,
    at,
    copy,
    fill,
    first_lanes,
    int64,
    load,
    store,
)
from netdef.kernels.compiled.tile import tile
from netdef.kernels.conv_blocks import Geometry
from netdef.kernels.jit import helper, intrinsic, kernel, prange, thread_id

Array = np.ndarray


class _Cut(NamedTuple):
    """The pieces: channels of a task, outputs of the panels that are ready at one time; floats of a thread's scratch."""

    channels: int
    width: int
    strip: int
    panels: int
    sums: int


def _taps(g: Geometry) -> Taps:
    return taps(g, g.out[0], apart=True)


@lru_cache(maxsize=512)
def _cut(g: Geometry) -> _Cut:
    deep, count, plane = filters_of(g), threads.count(), _taps(g).plane
    parts = max(1, -(-TURNS * count // (g.images * g.group))) if count > 1 else 1
    most = max(1, min(STRIP // plane, -(-channels_of(g) // parts)))
    channels = min(channels_of(g), spread(channels_of(g), most, ROWS if most >= ROWS else 1))
    width = min(MOST_TILES, max(1, PANEL // (deep * COLUMNS)), -(-g.area // COLUMNS)) * COLUMNS
    return _Cut(channels, width, up(channels * plane + SLACK, LANES), deep * width, ROWS * (width + LANES))


def scratch(g: Geometry) -> int:
    """Floats of scratch: the weights turned over, and buffers of all threads."""
    return up(g.filters * _taps(g).table.size, LANES) + threads.count() * sum(_cut(g)[2:])


def backward_data(g: Geometry, dy: Array, w: Array, scratch: Array, dx: Array) -> None:
    """dx = gradient by the image; shapes as in the reference."""
    t, deep, cut = _taps(g), filters_of(g), _cut(g)
    size = up(g.filters * t.table.size, LANES)
    turned, buffers = scratch[:size], scratch[size:]
    turn(w.reshape(-1), g.group, deep, t.table.size, turned)
    rows = np.arange(deep, dtype=np.int64) * g.area  # where the filters' planes lie in dy
    _backward_data(dy.reshape(-1), turned, *t, rows, g.images, g.group, channels_of(g), *g.image, *g.out, *g.stride, *g.pad,
                   *cut, buffers, dx.reshape(-1))


@kernel("f[1] f[1] i[1] i[1] i i i[1] i[1] " + "i " * 16 + "f![1] f![1]")
def _backward_data(dy, w, phases_h, phases_w, strip_h, pitch, table, planes, images, group, channels, height, width, out_h,
                   out_w, stride_h, stride_w, pad_h, pad_w, cut_channels, cut_width, strip_size, panel_size, sums_size,
                   scratch, dx):
    parts = (channels + cut_channels - 1) // cut_channels
    area, deep = out_h * out_w, planes.size
    window = table.size // channels
    plane = phases_h.size * phases_w.size * strip_h * pitch
    step = cut_width + LANES
    line = area if pitch == out_w else out_w
    for task in prange(images * group * parts):
        g = task // parts
        c = (task - g * parts) * cut_channels
        count = min(cut_channels, channels - c)
        strip = thread_id() * (strip_size + panel_size + sums_size)
        panels = strip + strip_size
        sums = panels + panel_size
        fill(scratch, strip, 0.0, count * plane)
        if area % LANES:  # lanes behind the last output are worked on, but mean nothing
            fill(scratch, panels, 0.0, panel_size)
        for first in range(0, area, cut_width):
            last = min(first + cut_width, area)
            for q in range(first, last, COLUMNS):
                pack(scratch, panels + (q - first) * deep, COLUMNS, dy, g * deep * area, 0, 0, 1, area, q, min(q + COLUMNS, last),
                     planes, 0, deep)
            for row in range(c * window, (c + count) * window, ROWS):
                high = min(ROWS, (c + count) * window - row)
                for q in range(first, last, COLUMNS):
                    tile(w, (g % group * table.size + row) * deep, deep, high, scratch, panels + (q - first) * deep, COLUMNS,
                         min(COLUMNS, last - q), scratch, sums + q - first, step, deep, 0)
                _scatter(scratch, sums, step, high, first, last, line, pitch, table, row, strip - c * plane)
        for i in range(count):
            _put_back(scratch, strip + i * plane, height, width, stride_h, stride_w, pad_h, pad_w, phases_h, phases_w, strip_h,
                      pitch, dx, (g * channels + c + i) * height * width)


@intrinsic
def _add_lines(typing, to, to_at, to_step, source, source_at, source_step, lines, n):
    """to[y * to_step + i] += source[y * source_step + i] for y < lines and i < n; writes whole vectors of ``to``.

    A store under a mask would make the next load of any of its bytes wait until it has reached the cache.
    """
    def emit(b, to, to_at, to_step, source, source_at, source_step, lines, n):
        to, source = at(b, to, to_at), at(b, source, source_at)
        whole = b.and_(n, int64(-LANES))
        rest = first_lanes(b, b.sub(n, whole))
        before = b.block
        line, vectors, tail, part, following, end = (b.append_basic_block(name) for name in
                                                     ("line", "vectors", "tail", "part", "next", "end"))
        b.cbranch(b.icmp_signed(">", lines, int64(0)), line, end)
        b.position_at_end(line)
        y = b.phi(I64)
        y.add_incoming(int64(0), before)
        target, given = at(b, to, b.mul(y, to_step)), at(b, source, b.mul(y, source_step))
        b.cbranch(b.icmp_signed(">", whole, int64(0)), vectors, tail)
        b.position_at_end(vectors)
        i = b.phi(I64)
        i.add_incoming(int64(0), line)
        store(b, b.fadd(load(b, target, i), load(b, given, i)), target, i)
        beyond = b.add(i, int64(LANES))
        i.add_incoming(beyond, vectors)
        b.cbranch(b.icmp_signed("<", beyond, whole), vectors, tail)
        b.position_at_end(tail)
        b.cbranch(b.icmp_signed("<", whole, n), part, following)
        b.position_at_end(part)
        store(b, b.fadd(load(b, target, whole), load(b, given, whole, rest)), target, whole)
        b.branch(following)
        b.position_at_end(following)
        after = b.add(y, int64(1))
        y.add_incoming(after, following)
        b.cbranch(b.icmp_signed("<", after, lines), line, end)
        b.position_at_end(end)
    return _void((to, to_at, to_step, source, source_at, source_step, lines, n), emit)


@helper
def _scatter(scratch, sums, step, high, first, last, line, pitch, table, row, strip):
    """Add what ``high`` taps from ``row`` on send back for the outputs first <= q < last, ``line`` of which lie in a run.

    Tap after tap, not line after line: what was just written is read again at another offset, and the processor needs time
    between.
    """
    y = first // line
    begun = first - y * line  # outputs of the first line that came before
    head = min(last - first, line - begun) if begun else 0
    lines = (last - first - head) // line
    tail = last - first - head - lines * line
    below = (y + (1 if begun else 0)) * pitch
    for i in range(high):
        to, source = strip + table[row + i], sums + i * step
        _add_lines(scratch, to + y * pitch + begun, 0, scratch, source, 0, 1, head)
        _add_lines(scratch, to + below, pitch, scratch, source + head, line, lines, line)
        _add_lines(scratch, to + below + lines * pitch, 0, scratch, source + head + lines * line, 0, 1, tail)


@helper
def _put_back(strip, strip_at, height, width, stride_h, stride_w, pad_h, pad_w, phases_h, phases_w, rows, pitch, x, x_at):
    """The strip of one channel -> its plane; places of the image that no window reaches are zero."""
    reached = min(width, pitch * stride_w - pad_w)
    if phases_h.size < stride_h or phases_w.size < stride_w or rows * stride_h - pad_h < height or reached < width:
        fill(x, x_at, 0.0, height * width)
    size = rows * pitch
    for i in range(phases_h.size):
        first, last = _reach(height, pad_h, stride_h, phases_h[i], rows)
        for y in range(first, last):
            to = x_at + (y * stride_h + phases_h[i] - pad_h) * width
            source = strip_at + (i * phases_w.size * rows + y) * pitch
            if stride_w == 1:
                copy(x, to, strip, source + pad_w, reached)
            elif stride_w == 2 and phases_w.size == 2:
                even, odd = source + pad_w // 2, source + size + pad_w // 2
                if pad_w % 2:
                    even, odd = odd, even + 1
                _weave(x, to, strip, even, strip, odd, reached)
            else:
                for j in range(phases_w.size):
                    begin, end = _reach(width, pad_w, stride_w, phases_w[j], pitch)
                    for k in range(begin, end):
                        x[to + k * stride_w + phases_w[j] - pad_w] = strip[source + j * size + k]
