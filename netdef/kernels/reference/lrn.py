"""Local response normalisation by Caffe's rules: y = x * scale^-beta, the scale being made of squares of neighbours.

Across channels: scale = k + alpha / size * (sum of x^2 over ``size`` channels around), for x (N, C, places).
Within a channel: scale = 1 + alpha / size^2 * (sum of x^2 over a square of ``size`` by ``size`` around), for x (N, C,
H, W); zeros outside the image, which count in the divisor. There is no k. ``size`` is odd. No array may be another. """
from __future__ import annotations

import numpy as np

from netdef.kernels.reference.pooling import ave_pool_backward, ave_pool_forward

Array = np.ndarray


def lrn_across_forward(x: Array, size: int, alpha: float, beta: float, k: float, scale: Array, out: Array) -> None:
    """scale and out of the shape of x, (N, C, places)."""
    np.square(x, out=out)
    _window_sums(out, size, scale)
    scale *= alpha / size
    scale += k
    np.power(scale, -beta, out=out)
    np.multiply(out, x, out=out)


def lrn_across_backward(x: Array, scale: Array, dy: Array, size: int, alpha: float, beta: float, buffer: Array,
                        dx: Array) -> None:
    """dx = dy * scale^-beta - 2 * alpha * beta / size * x * (sum over the window of dy * x * scale^(-beta - 1)).

    All (N, C, places), but for ``buffer`` (2, N, C, places), which is worthless afterwards.
    """
    direct, through_scale = _terms(x, scale, dy, beta, buffer)
    _window_sums(through_scale, size, dx)
    _join(x, direct, 2 * alpha * beta / size, dx)


def lrn_within_forward(x: Array, size: int, alpha: float, beta: float, scale: Array, out: Array) -> None:
    """scale and out of the shape of x, (N, C, H, W)."""
    np.square(x, out=out)
    ave_pool_forward(out, (size, size), (1, 1), (size // 2, size // 2), scale)
    scale *= alpha
    scale += 1
    np.power(scale, -beta, out=out)
    np.multiply(out, x, out=out)


def lrn_within_backward(x: Array, scale: Array, dy: Array, size: int, alpha: float, beta: float, buffer: Array,
                        dx: Array) -> None:
    """As across channels, over the window in the plane; all (N, C, H, W), but for ``buffer`` (2, N, C, H, W)."""
    direct, through_scale = _terms(x, scale, dy, beta, buffer)
    ave_pool_backward(through_scale, (size, size), (1, 1), (size // 2, size // 2), dx)
    _join(x, direct, 2 * alpha * beta, dx)


def _terms(x: Array, scale: Array, dy: Array, beta: float, buffer: Array) -> tuple[Array, Array]:
    """dy * scale^-beta, and dy * x * scale^(-beta - 1)."""
    direct, through_scale = buffer
    np.power(scale, -beta, out=direct)
    np.multiply(direct, dy, out=direct)
    np.multiply(direct, x, out=through_scale)
    np.divide(through_scale, scale, out=through_scale)
    return direct, through_scale


def _join(x: Array, direct: Array, factor: float, dx: Array) -> None:
    """dx = direct - factor * x * dx."""
    np.multiply(dx, x, out=dx)
    dx *= -factor
    np.add(dx, direct, out=dx)


def _window_sums(values: Array, size: int, out: Array) -> None:
    """out[n, c] = the sum of values[n, j] over the channels j at most size // 2 away; both (N, C, places)."""
    channels = values.shape[1]
    out[...] = values
    for shift in range(1, min(size // 2, channels - 1) + 1):
        out[:, shift:] += values[:, :-shift]
        out[:, :-shift] += values[:, shift:]
