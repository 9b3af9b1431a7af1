"""How one pass of a Winograd convolution is cut: tiles, chunks, blocks of filters, and where each of them lies in scratch.

Everything follows from the shape (and, for what a thread keeps to itself, from the number of threads, which changes no result).
A *tile row* is a row of tiles of one image; a *chunk* is some of them, counted through all images, with T tiles together.
"""
from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netdef.kernels import threads
from netdef.kernels.compiled.simd import COLUMNS, LANES, ROWS
from netdef.kernels.conv_blocks import Geometry
from netdef.kernels.winograd_matrices import TILES

Array = np.ndarray

(M, R, IMAGES, GROUP, DEPTH, FILTERS, HEIGHT, WIDTH, OUT_H, OUT_W, PAD_H, PAD_W, DOWN, ACROSS, CHUNK, STRIP, BLOCK, PANEL,
 U_TILE, U_POINT, V_POINT, P_TILE, P_POINT, STRIP_SIZE) = range(24)
"""Places of the numbers in ``Plan.sizes``, by which kernels know them; see ``Plan``."""

SMALL_WEIGHTS = 1 << 20
"""Elements of transformed weights that every thread may read once a chunk: 4 MB, of which a second-level cache keeps a part."""

OWN_CHUNK = 1 << 19  # elements of points of a chunk that one thread keeps to itself
SHARED_CHUNK = 3 << 19  # elements of points of a chunk that all threads work on
SUMMED_CHUNK = 1 << 21  # the same for gradients by the weights
STRIP_ELEMENTS = 1 << 14  # of an image that is turned over at once


TURN = 12
"""What a transform costs for each point, tile and vector of channels or filters, in vector multiply-adds (measured)."""

WINDOW = 7  # the same for the weights, for each point, channel and vector of filters

MOST_SHARED, MOST_OWN = 1 << 24, 1 << 22  # elements of scratch, all threads' and one thread's: 64 and 16 MB


@lru_cache(maxsize=1024)
def suits(g: Geometry, which: str) -> str | None:
    """The variant that takes the least time for a pass, or None where the plain sum takes less or Winograd cannot be.

    Winograd's work is counted in vector multiply-adds, with all that is lost: outputs of tiles that hang over the edge (2x2
    tiles lose less on maps of 2, 5 or 6), lanes behind the last filter, and the transforms. Those pay where each of their points
    meets enough filters and channels: some 16 of both. With a single tile, making V would be most of the work.
    """
    plain = len(g.kernel) == 2 and g.stride == (1, 1) and g.dilation == (1, 1)
    if not plain or min(g.images, g.channels, g.filters, *g.out, *g.image) < 1:
        return None
    best, least = None, g.images * g.area * g.rows // g.group * g.filters / LANES
    for variant, (_, r) in TILES.items():
        if g.kernel == (r, r):
            p = plan(g, variant, which)
            if p.work < least and p.shared <= MOST_SHARED and p.own <= MOST_OWN:
                best, least = variant, p.work
    return best


class Plan(NamedTuple):
    """One pass, as numbers. U are the points of the inputs, V of the weights, P the products.

    ``sizes`` holds, under the names above: m and r; images, groups; channels (DEPTH) and filters of a group; height and width of
    the image and of the outputs; the pad; tile rows of an image and tiles of a row; tile rows of a chunk and of a strip; filters
    of a block and columns of a panel; how far tiles and points lie apart in U, V and P; and the size of a strip.
    """

    sizes: Array
    chunks: int
    by_tiles: bool
    """every thread takes chunks of its own through all stages; else threads share the stages of one chunk"""
    weights: int
    """elements of V, all groups"""
    shared: int
    """elements of scratch that all threads use"""
    own: int
    """elements of scratch that each thread has to itself"""

    @property
    def rows(self) -> int:
        """Tile rows of all images."""
        return int(self.sizes[IMAGES] * self.sizes[DOWN])

    @property
    def work(self) -> int:
        """What the pass costs, in vector multiply-adds."""
        s = self.sizes
        points, tiles = int(s[M] + s[R] - 1) ** 2, _whole(self.rows * int(s[ACROSS]), ROWS)
        depth, in_vectors, out_vectors = int(s[DEPTH]), -(-int(s[DEPTH]) // LANES), -(-int(s[FILTERS]) // LANES)
        windows = depth * out_vectors * (1 if self.by_tiles else self.chunks)
        turned = TURN * tiles * (in_vectors + out_vectors) + WINDOW * windows
        return int(s[GROUP]) * points * (tiles * depth * out_vectors + turned)

    @property
    def scratch(self) -> int:
        """Elements of scratch, with the room to begin at a cache line and whole vectors behind the end."""
        return self.shared + threads.count() * self.own + 2 * 16 + COLUMNS


@lru_cache(maxsize=1024)
def plan(g: Geometry, variant: str, which: str) -> Plan:
    """The plan of a pass: "forward", "backward_data" (a forward pass from dy to dx) or "backward_weights"."""
    m, r = TILES[variant]
    s = np.zeros(24, np.int64)
    s[[M, R, IMAGES, GROUP]] = m, r, g.images, g.group
    if which == "backward_data":
        s[[DEPTH, FILTERS]] = g.filters // g.group, g.channels // g.group
        s[[HEIGHT, WIDTH, OUT_H, OUT_W]] = *g.out, *g.image
        s[[PAD_H, PAD_W]] = [r - 1 - p for p in g.pad]
    else:
        s[[DEPTH, FILTERS]] = g.channels // g.group, g.filters // g.group
        s[[HEIGHT, WIDTH, OUT_H, OUT_W]] = *g.image, *g.out
        s[[PAD_H, PAD_W]] = g.pad
    s[[DOWN, ACROSS]] = -(-s[OUT_H] // m), -(-s[OUT_W] // m)
    a = m + r - 1
    wide = (int(s[ACROSS]) - 1) * m + a
    s[STRIP] = max(1, min(int(s[DOWN]), (STRIP_ELEMENTS // (wide * LANES) - r + 1) // m))
    s[STRIP_SIZE] = ((s[STRIP] - 1) * m + a) * wide * LANES + LANES * LANES
    return _summed(s, a) if which == "backward_weights" else _forward(s, a)


def _forward(s: Array, a: int) -> Plan:
    points, depth, filters = a * a, int(s[DEPTH]), int(s[FILTERS])
    s[BLOCK] = _width(filters)
    s[PANEL] = min(COLUMNS, s[BLOCK])
    s[U_TILE] = _apart(_whole(depth, LANES))
    s[V_POINT] = depth * s[BLOCK] + LANES
    blocks = -(-filters // int(s[BLOCK]))
    weights = int(s[GROUP]) * blocks * points * int(s[V_POINT])
    by_tiles = points * depth * filters <= SMALL_WEIGHTS
    s[P_TILE] = _apart(blocks * int(s[BLOCK])) if by_tiles else s[BLOCK]
    each = int(s[U_TILE] + s[P_TILE]) if by_tiles else int(s[U_TILE])
    chunks = _chunk(s, points * each, OWN_CHUNK if by_tiles else SHARED_CHUNK, threads.count() if by_tiles else 1)
    tiles = int(s[CHUNK] * s[ACROSS])
    s[U_POINT] = tiles * s[U_TILE] + LANES
    s[P_POINT] = _whole(tiles, ROWS) * s[P_TILE] + LANES
    u, products = points * int(s[U_POINT]), points * int(s[P_POINT])
    strip = _whole(max(int(s[STRIP_SIZE]), int(s[R] * s[R]) * LANES * LANES), 16)
    if by_tiles:
        return Plan(s, chunks, True, weights, weights, u + products + strip)
    return Plan(s, chunks, False, weights, u, points * int(s[V_POINT]) + products + strip)


def _summed(s: Array, a: int) -> Plan:
    """Gradients by the weights: U in panels of channels, V (the points of dy) in blocks of filters, P the sums of a block."""
    points, depth, filters = a * a, int(s[DEPTH]), int(s[FILTERS])
    s[BLOCK] = _width(filters)
    s[PANEL] = min(COLUMNS, _whole(depth, LANES))
    padded, more = _whole(depth, int(s[PANEL])), _whole(filters, int(s[BLOCK]))
    chunks = _chunk(s, points * (padded + more), SUMMED_CHUNK, 1)
    tiles = int(s[CHUNK] * s[ACROSS])
    s[U_POINT], s[V_POINT] = tiles * padded + LANES, tiles * more + LANES
    s[U_TILE] = s[P_TILE] = s[PANEL]
    s[P_POINT] = (s[BLOCK] + ROWS) * s[PANEL] + LANES
    own = points * int(s[P_POINT]) + max(int(s[STRIP_SIZE]), int(s[R] * s[R] * (LANES + s[PANEL])))
    return Plan(s, chunks, False, 0, points * int(s[U_POINT] + s[V_POINT]) + 16, _whole(own, 16))


def _width(filters: int) -> int:
    """Filters of a block: 48 or 32 (three or two vectors of sixteen), such that two threads get the same if they can."""
    return 48 if filters % 96 == 0 else 32 if filters > 16 else 16


def _whole(size: int, step: int) -> int:
    """The size, rounded up to a multiple."""
    return -(-size // step) * step


def _apart(step: int) -> int:
    """A distance between rows that a first-level cache can hold side by side: not a multiple of a kilobyte."""
    return step + 16 if step % 256 == 0 else step


def _chunk(s: Array, each: int, budget: int, share: int) -> int:
    """Sets the tile rows of a chunk, tiles of ``each`` elements; returns how many chunks: a multiple of ``share`` if possible."""
    rows = int(s[IMAGES] * s[DOWN])
    most = max(1, budget // (each * max(1, int(s[ACROSS]))))
    chunks = _whole(max(1, -(-rows // most)), share)
    s[CHUNK] = max(1, -(-rows // chunks))
    return -(-rows // int(s[CHUNK]))


def aligned(scratch: Array, p: Plan) -> Array:
    """Flat scratch from a cache line on. Raises ValueError where it is too small, since kernels check no bounds."""
    flat = scratch.reshape(-1)
    if flat.size < p.scratch:
        raise ValueError(f"winograd: scratch: expected at least {p.scratch} elements, got {flat.size}")
    return flat[-(flat.ctypes.data // 4) % 16:]
