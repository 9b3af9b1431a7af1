"""Division by the L2 norm, of all values of an item or of the channels at each place, and a learned scale (SSD's
rules).

x is (N, C, places); ``norm`` (N, 1) means one norm an item, (N, places) one a place; ``scale`` is (1,) or (C,).
"""
from __future__ import annotations

import numpy as np

Array = np.ndarray


def l2_normalize_forward(x: Array, scale: Array, eps: float, norm: Array, out: Array) -> None:
    """norm = sqrt(sum of x^2 + eps), out = scale * x / norm; out must not be x."""
    np.square(x, out=out)
    _sum(out, norm)
    norm += eps
    np.sqrt(norm, out=norm)
    np.divide(x, norm[:, None], out=out)
    np.multiply(out, scale[:, None], out=out)


def l2_normalize_backward(x: Array, scale: Array, norm: Array, dy: Array, buffer: Array, dx: Array | None,
                          dscale: Array | None) -> None:
    """dx = (scale * dy - x / norm * (sum of scale * dy * x / norm)) / norm; dscale += sum of dy * x / norm.

    Where one is None, it is not made. ``buffer`` is (2, N, C, places).
    """
    unit, product = buffer
    np.divide(x, norm[:, None], out=unit)
    np.multiply(unit, dy, out=product)
    if dscale is not None:
        by_channel = product.sum(axis=(0, 2), dtype=np.float64)
        dscale += by_channel.sum() if dscale.size == 1 else by_channel
    if dx is not None:
        np.multiply(product, scale[:, None], out=product)
        along = np.empty_like(norm)
        _sum(product, along)
        np.multiply(unit, along[:, None], out=unit)
        np.multiply(dy, scale[:, None], out=dx)
        np.subtract(dx, unit, out=dx)
        np.divide(dx, norm[:, None], out=dx)


def _sum(values: Array, out: Array) -> None:
    """The sum of values (N, C, places) over channels, or over channels and places where out is (N, 1)."""
    if out.shape[1] == 1:
        out[:, 0] = values.sum(axis=2).sum(axis=1, dtype=np.float64)
    else:
        values.sum(axis=1, out=out)
