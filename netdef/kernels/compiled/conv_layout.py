"""How an image is laid out for a convolution as a matrix product, and how the work is cut into pieces that stay in a cache.

No matrix of columns of a whole image is ever made. A piece of the work is a *region*: some rows of outputs of some images. Its
inputs are copied once into a *strip*: padded, and with strides of s cut into phases (the places whose row and column leave the
same remainders by s), each in rows of ``pitch`` elements. Then what one tap (channel, row and column of the window) gives to
the outputs of a row lies in one run, ``table[tap]`` behind the first output's place, for any stride and dilation. From these
runs *panels* are packed: ``COLUMNS`` outputs, one row a tap, which is what the tile takes. Outputs of several short rows and of
several images share a panel, so that small maps fill it too.
"""
from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netdef.kernels import threads
from netdef.kernels.compiled.depthwise import _every_second, _reach
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
    load_scalar,
    store,
    transpose,
)
from netdef.kernels.conv_blocks import Geometry
from netdef.kernels.jit import helper, intrinsic, kernel, prange

Array = np.ndarray

STRIP = 1 << 16  # floats of a strip: with a panel they stay in a second-level cache
PANEL = 1 << 16  # floats of the panels that are ready at one time
MOST_DEPTH = 1024  # rows of a panel: deeper products are summed in parts
MOST_TILES = 8  # panels side by side: their sums, ROWS high, stay in a first-level cache
LEAST_COLUMNS = 8 * COLUMNS  # of a region, where the maps allow it: the weights are read once a region, few panels are part full
TURNS = 4  # tasks a thread, where the sizes allow it


class Taps(NamedTuple):
    """Where in a strip the taps of a window lie."""

    phases_h: Array
    """int64: the remainders of rows by the stride that some tap has"""
    phases_w: Array
    """int64: the same for columns"""
    height: int
    """rows of a phase"""
    pitch: int
    """elements of a row"""
    table: Array
    """int64: for each (channel of the group, window row, window column), how far its inputs lie behind the output's place"""

    @property
    def plane(self) -> int:
        """Elements of one channel: all its phases."""
        return self.phases_h.size * self.phases_w.size * self.height * self.pitch


class Cut(NamedTuple):
    """The pieces: images, output rows and filters of a task; columns and depth of the panels that are ready at one time."""

    images: int
    rows: int
    filters: int
    width: int
    depth: int


def channels_of(g: Geometry) -> int:
    """Input channels of one group."""
    return g.channels // g.group


def filters_of(g: Geometry) -> int:
    """Filters of one group."""
    return g.filters // g.group


def unpadded(g: Geometry) -> bool:
    """Whether the image itself serves as strip."""
    return g.stride == (1, 1) and g.pad == (0, 0)


def pointwise(g: Geometry) -> bool:
    """Whether the image itself serves as the matrix: windows of one place, without stride and padding."""
    return g.kernel == (1, 1) and unpadded(g)


@lru_cache(maxsize=512)
def taps(g: Geometry, rows: int, apart: bool = False) -> Taps:
    """The taps of a convolution in strips for ``rows`` rows of outputs, or in the image itself where that serves.

    ``apart``: always a strip, and no vector that begins with a row's outputs reaches those of the next row.
    """
    (sh, sw), (dh, dw), (kh, kw) = g.stride, g.dilation, g.kernel
    down, right = np.arange(kh) * dh, np.arange(kw) * dw
    phases_h, of_row = np.unique(down % sh, return_inverse=True)
    phases_w, of_column = np.unique(right % sw, return_inverse=True)
    height, pitch = rows + int(down[-1]) // sh, g.out[1] + int(right[-1]) // sw
    if apart and kh * kw > 1:
        pitch = max(pitch, up(g.out[1], LANES))
    elif unpadded(g):
        height, pitch = g.image
    row = (of_row * phases_w.size * height + down // sh) * pitch
    column = of_column * height * pitch + right // sw
    plane = phases_h.size * phases_w.size * height * pitch
    table = np.arange(channels_of(g))[:, None, None] * plane + row[:, None] + column
    return Taps(phases_h.astype(np.int64), phases_w.astype(np.int64), height, pitch, table.reshape(-1).astype(np.int64))


def up(value: int, unit: int) -> int:
    """The next multiple of ``unit``."""
    return -(-value // unit) * unit


def spread(size: int, most: int, unit: int = 1) -> int:
    """The size of parts that are all but alike, at most ``most`` (or one ``unit``) large, in whole units."""
    parts = -(-size // max(most, unit))
    return up(-(-size // max(parts, 1)), unit)


def region(g: Geometry, columns: int, bands: int, blocks: int, channels: int) -> tuple[int, int]:
    """Images and output rows of a region: about ``columns`` outputs at least, and a strip of ``channels`` that stays in a cache.

    Large maps are cut into ``bands`` regions or more in all, where they have the rows; small ones are put together, to
    no fewer than ``blocks`` regions.
    """
    if g.area < columns:
        images = min(max(1, g.images * g.group // blocks), g.images, -(-columns // g.area))
        if not unpadded(g):
            images = min(images, max(1, STRIP // (channels * taps(g, g.out[0]).plane)))
        return _full_vectors(g.images, images, g.area), g.out[0]
    parts = min(-(-bands // (g.images * g.group)), g.area // columns)
    rows = max(1, -(-g.out[0] // max(1, parts)))
    if not unpadded(g):
        while rows > 1 and channels * taps(g, rows).plane > STRIP:
            rows -= max(1, rows // 8)
    return 1, -(-g.out[0] // -(-g.out[0] // rows))


def _full_vectors(images: int, most: int, area: int) -> int:
    """The number of images up to ``most`` whose outputs leave the fewest lanes idle; the largest of equal ones."""
    def vectors(n: int) -> int:
        return images // n * -(-n * area // LANES) + -(-(images % n) * area // LANES)
    return min(range(most, 0, -1), key=vectors)


@lru_cache(maxsize=512)
def cut(g: Geometry) -> Cut:
    """The pieces of a forward pass."""
    deep = channels_of(g) * math.prod(g.kernel)
    depth = spread(deep, MOST_DEPTH)
    tasks = TURNS * threads.count() if threads.count() > 1 else 1
    most = max(1, filters_of(g) // (4 * ROWS))  # parts of the filters: each packs its own panels
    images, rows = region(g, LEAST_COLUMNS, tasks, -(-tasks // most), channels_of(g))
    regions = -(-g.images // images) * -(-g.out[0] // rows) * g.group
    parts = min(most, -(-max(1, tasks // 2) // regions))  # fewer turns than of regions: packing anew costs more than waiting
    filters = spread(filters_of(g), -(-filters_of(g) // parts), ROWS)
    width = min(MOST_TILES, max(1, PANEL // (depth * COLUMNS))) * COLUMNS
    return Cut(images, rows, filters, min(width, up(images * rows * g.out[1], COLUMNS)), depth)


# ------------------------------------------------------------------------------------------------------ inside kernels

@helper
def lay_out(x, x_at, channels, height, width, stride_h, stride_w, top, left, phases_h, phases_w, rows, pitch, to, to_at):
    """Planes of an image -> their strips. Row y of phase a holds the image's row y * stride_h + a - top; 0 outside the image."""
    size = rows * pitch
    fill(to, to_at, 0.0, channels * phases_h.size * phases_w.size * size)
    for c in range(channels):
        for i in range(phases_h.size):
            first, last = _reach(height, top, stride_h, phases_h[i], rows)
            for j in range(phases_w.size):
                begin, end = _reach(width, left, stride_w, phases_w[j], pitch)
                source = x_at + (c * height + first * stride_h + phases_h[i] - top) * width
                source += begin * stride_w + phases_w[j] - left
                place = to_at + ((c * phases_h.size + i) * phases_w.size + j) * size + first * pitch + begin
                for _ in range(last - first):
                    if stride_w == 1:
                        copy(to, place, x, source, end - begin)
                    elif stride_w == 2:
                        _every_second(to, place, x, source, end - begin)
                    else:
                        for k in range(end - begin):
                            to[place + k] = x[source + k * stride_w]
                    source += stride_h * width
                    place += pitch


@intrinsic
def gather(typing, to, to_at, to_step, source, source_at, table, table_at, count, n):
    """to[k * to_step + i] = source[table[k] + i] for k < count and i < n, n at most LANES."""
    def emit(b, to, to_at, to_step, source, source_at, table, table_at, count, n):
        to, source, table = at(b, to, to_at), at(b, source, source_at), at(b, table, table_at, I64)
        whole, part, end = (b.append_basic_block(name) for name in ("whole", "part", "end"))
        some = first_lanes(b, n)
        b.cbranch(b.icmp_signed(">=", n, int64(LANES)), whole, part)
        for start, mask in ((whole, None), (part, some)):
            b.position_at_end(start)
            loop = b.append_basic_block("rows")
            b.cbranch(b.icmp_signed(">", count, int64(0)), loop, end)
            b.position_at_end(loop)
            k = b.phi(I64)
            k.add_incoming(int64(0), start)
            place = b.phi(to.type)
            place.add_incoming(to, start)
            store(b, load(b, source, load_scalar(b, table, k, I64), mask), place, int64(0), mask)
            following = b.add(k, int64(1))
            k.add_incoming(following, loop)
            place.add_incoming(at(b, place, to_step), loop)
            b.cbranch(b.icmp_signed("<", following, count), loop, end)
        b.position_at_end(end)
    return _void((to, to_at, to_step, source, source_at, table, table_at, count, n), emit)


@helper
def pack(panel, panel_at, step, source, source_at, image_step, pitch, lines, line, first, last, table, begin, count):
    """panel[k * step + q - first] = what tap ``begin + k`` reads for output q, for k < count and the outputs first <= q < last
    of a region, which has ``lines`` rows of ``line`` outputs an image."""
    q = first
    while q < last:
        row = q // line
        column = q - row * line
        image = row // lines
        n = min(LANES, line - column, last - q)
        place = source_at + image * image_step + (row - image * lines) * pitch + column
        gather(panel, panel_at + q - first, step, source, place, table, begin, count, n)
        q += n


@kernel("f[1] i i i f![1]")
def turn(x, count, height, width, out):
    """Each of ``count`` matrices (height, width) -> (width, height)."""
    bands = (width + LANES - 1) // LANES
    for task in prange(count * bands):
        m = task // bands
        j = (task - m * bands) * LANES
        for i in range(0, height, LANES):
            transpose(out, (m * width + j) * height + i, height, x, (m * height + i) * width + j, width,
                      min(LANES, height - i), min(LANES, width - j))
