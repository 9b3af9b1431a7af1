"""Dropout: keeps each value with probability 1 - ratio and scales what is kept, so that the mean stays."""
from __future__ import annotations

import numpy as np

from netdef.kernels.reference.philox import philox_bits

Array = np.ndarray


def drop_threshold(ratio: float) -> int:
    """A random 32-bit word below this drops the value: ratio * 2**32, rounded down."""
    return min(int(ratio * 4294967296.0), 4294967296)


def dropout_forward(x: Array, key: Array, ratio: float, mask: Array, out: Array) -> None:
    """mask = 0 where dropped, 1 where kept (uint8 or bool); out = x * mask / (1 - ratio).

    Element i (C order) takes word i of the Philox stream ``key`` (uint32, 6 words, see ``philox_bits``). x, mask and out
    have one shape; out may be x. ``ratio`` is in [0, 1).
    """
    bits = np.empty(x.shape, np.uint32)
    philox_bits(key, bits)
    np.copyto(mask, bits >= np.uint64(drop_threshold(ratio)), casting="unsafe")
    dropout_backward(x, mask, ratio, out)


def dropout_backward(dy: Array, mask: Array, ratio: float, dx: Array) -> None:
    """dx = dy / (1 - ratio) where the mask of the forward pass is set, else 0 (even where dy is not finite)."""
    scale = dy.dtype.type(1 / (1 - ratio))
    np.copyto(dx, np.where(mask, dy * scale, dy.dtype.type(0)))
