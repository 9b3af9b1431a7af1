"""Philox4x32-10 by counter blocks in parallel: the same bits as the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import helper, kernel, prange

Array = np.ndarray

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLY_0, _MULTIPLY_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


@helper
def philox_block(key, block):
    """The four words (uint64 holding 32 bits) of one counter block; ``key`` as in the reference, ``block`` uint64."""
    c0, c1, c2, c3 = block & _LOW, block >> _SHIFT, np.uint64(key[2]), np.uint64(key[3])
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        p0, p1 = _MULTIPLY_0 * c0, _MULTIPLY_1 * c2
        c0, c1, c2, c3 = (p1 >> _SHIFT) ^ c1 ^ k0, p1 & _LOW, (p0 >> _SHIFT) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@kernel("u[1] u![1]")
def _philox_bits(key, out):
    start = np.uint64(key[4]) | np.uint64(key[5]) << _SHIFT
    first = start // np.uint64(4)
    skip = np.int64(start % np.uint64(4))  # words of the first block that lie before the start
    for b in prange((skip + out.size + 3) // 4):
        words = philox_block(key, first + np.uint64(b))
        at = 4 * b - skip
        if at >= 0 and at + 4 <= out.size:
            out[at], out[at + 1], out[at + 2], out[at + 3] = words
        else:
            for lane in range(4):
                if 0 <= at + lane < out.size:
                    out[at + lane] = words[lane]


def philox_bits(key: Array, out: Array) -> None:
    """See the reference."""
    _philox_bits(key, out.reshape(-1))
