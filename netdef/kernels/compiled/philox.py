"""Philox4x32-10 by counter blocks in parallel: the same bits as the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import helper, kernel, prange

Array = np.ndarray

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLY_0, _MULTIPLY_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


BLOCKS = 64
"""Counter blocks (of four words) made at a time: their state stays in the first-level cache."""


@helper
def philox_words(key, block, state, out):
    """out (uint32, 4 * BLOCKS) = the words of the counter blocks from ``block`` (uint64) on; ``key`` as in the reference.

    ``state`` (uint64, 4 x BLOCKS) is scratch. The rounds stand outside and the blocks inside, which vectorises.
    """
    c0, c1, c2, c3 = state[0], state[1], state[2], state[3]
    for b in range(BLOCKS):
        number = block + np.uint64(b)
        c0[b], c1[b], c2[b], c3[b] = number & _LOW, number >> _SHIFT, np.uint64(key[2]), np.uint64(key[3])
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        for b in range(BLOCKS):
            p0, p1 = _MULTIPLY_0 * (c0[b] & _LOW), _MULTIPLY_1 * (c2[b] & _LOW)
            new_0, new_2 = (p1 >> _SHIFT) ^ c1[b] ^ k0, (p0 >> _SHIFT) ^ c3[b] ^ k1
            c0[b], c1[b], c2[b], c3[b] = new_0, p1 & _LOW, new_2, p0 & _LOW
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    for b in range(BLOCKS):
        out[4 * b] = np.uint32(c0[b])
        out[4 * b + 1] = np.uint32(c1[b])
        out[4 * b + 2] = np.uint32(c2[b])
        out[4 * b + 3] = np.uint32(c3[b])


@helper
def stream_start(key):
    """The first counter block of a stream, and how many of its words lie before the start."""
    start = np.uint64(key[4]) | np.uint64(key[5]) << _SHIFT
    return start // np.uint64(4), np.int64(start % np.uint64(4))


@kernel("u[1] u![1]")
def _philox_bits(key, out):
    first, skip = stream_start(key)
    for part in prange((skip + out.size + 4 * BLOCKS - 1) // (4 * BLOCKS)):
        state, words = np.empty((4, BLOCKS), np.uint64), np.empty(4 * BLOCKS, np.uint32)
        philox_words(key, first + np.uint64(part * BLOCKS), state, words)
        begin = 4 * BLOCKS * part - skip
        used = words[max(0, -begin): min(4 * BLOCKS, out.size - begin)]
        out[max(0, begin): max(0, begin) + used.size] = used


def philox_bits(key: Array, out: Array) -> None:
    """See the reference."""
    _philox_bits(key, out.reshape(-1))
