"""Dropout in one sweep; see the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled.philox import philox_bits
from netdef.kernels.jit import kernel, prange
from netdef.kernels.reference.dropout import drop_threshold

Array = np.ndarray


@kernel("f[1] u[1] i f b![1] f![1]")
def _drop(x, bits, threshold, scale, mask, out):
    for i in prange(x.size):
        keep = np.int64(bits[i]) >= threshold
        mask[i] = keep
        out[i] = x[i] * scale if keep else np.float32(0)


@kernel("f[1] b[1] f f![1]")
def _drop_gradient(dy, mask, scale, dx):
    for i in prange(dy.size):
        dx[i] = dy[i] * scale if mask[i] != 0 else np.float32(0)


def dropout_forward(x: Array, key: Array, ratio: float, mask: Array, out: Array) -> None:
    """See the reference."""
    bits = np.empty(x.size, np.uint32)
    philox_bits(key, bits)
    _drop(x.reshape(-1), bits, drop_threshold(ratio), 1 / (1 - ratio), _bytes(mask), out.reshape(-1))


def dropout_backward(dy: Array, mask: Array, ratio: float, dx: Array) -> None:
    """See the reference."""
    _drop_gradient(dy.reshape(-1), _bytes(mask), 1 / (1 - ratio), dx.reshape(-1))


def _bytes(mask: Array) -> Array:
    """A mask of bool or uint8 as flat uint8."""
    return mask.reshape(-1).view(np.uint8)
