"""Dropout in one sweep; see the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled.philox import BLOCKS, philox_words, stream_start
from netdef.kernels.jit import helper, kernel, prange
from netdef.kernels.reference.dropout import drop_threshold

Array = np.ndarray

PART = 4 * BLOCKS  # words


@kernel("f[1] u[1] i f b![1] f![1]")
def _drop(x, key, threshold, scale, mask, out):
    first, skip = stream_start(key)
    for part in prange((skip + x.size + PART - 1) // PART):
        state, words = np.empty((4, BLOCKS), np.uint64), np.empty(PART, np.uint32)
        philox_words(key, first + np.uint64(part * BLOCKS), state, words)
        begin = PART * part - skip
        bits = words[max(0, -begin): min(PART, x.size - begin)]
        begin = max(0, begin)
        end = begin + bits.size
        _drop_part(x[begin:end], bits, threshold, scale, mask[begin:end], out[begin:end])


@helper
def _drop_part(x, bits, threshold, scale, mask, out):
    for i in range(x.size):
        keep = np.int64(bits[i]) >= threshold
        out[i] = x[i] * scale if keep else np.float32(0)
    for i in range(x.size):
        mask[i] = np.int64(bits[i]) >= threshold


@kernel("f[1] b[1] f f![1]")
def _drop_gradient(dy, mask, scale, dx):
    for i in prange(dy.size):
        dx[i] = dy[i] * scale if mask[i] != 0 else np.float32(0)


def dropout_forward(x: Array, key: Array, ratio: float, mask: Array, out: Array) -> None:
    """See the reference."""
    _drop(x.reshape(-1), key, drop_threshold(ratio), 1 / (1 - ratio), _bytes(mask), out.reshape(-1))


def dropout_backward(dy: Array, mask: Array, ratio: float, dx: Array) -> None:
    """See the reference."""
    _drop_gradient(dy.reshape(-1), _bytes(mask), 1 / (1 - ratio), dx.reshape(-1))


def _bytes(mask: Array) -> Array:
    """A mask of bool or uint8 as flat uint8."""
    return mask.reshape(-1).view(np.uint8)
