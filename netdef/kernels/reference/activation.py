"""Activation functions and their gradients. Every output may be one of the inputs (in place)."""
from __future__ import annotations

import numpy as np

Array = np.ndarray


def relu_forward(x: Array, slope: float, out: Array) -> None:
    """out = x where x > 0, else slope * x. Any shape; NaN stays NaN; with slope 0, -inf gives 0."""
    if slope == 0:
        np.maximum(x, 0, out=out)
    else:
        np.copyto(out, np.where(x > 0, x, x * x.dtype.type(slope)))


def relu_backward(seen: Array, dy: Array, slope: float, dx: Array) -> None:
    """dx = dy where seen > 0, else slope * dy; ``seen`` is x or y, whose signs agree for slope >= 0."""
    low = dy.dtype.type(0) if slope == 0 else dy * dy.dtype.type(slope)
    np.copyto(dx, np.where(seen > 0, dy, low))


def elu_forward(x: Array, alpha: float, buffer: Array, out: Array) -> None:
    """out = x where x > 0, else alpha * (e^x - 1); NaN stays NaN. ``buffer`` (x's shape) is worthless afterwards."""
    np.minimum(x, 0, out=buffer)
    np.expm1(buffer, out=buffer)
    np.multiply(buffer, x.dtype.type(alpha), out=buffer)
    np.maximum(x, 0, out=out)
    np.add(out, buffer, out=out)


def elu_backward(seen: Array, y: Array, dy: Array, alpha: float, buffer: Array, dx: Array) -> None:
    """dx = dy where seen > 0, else (y + alpha) * dy; ``seen`` is x, or y where alpha >= 0; buffer as in forward."""
    np.add(y, y.dtype.type(alpha), out=buffer)
    np.copyto(buffer, 1, where=seen > 0)
    np.multiply(dy, buffer, out=dx)


def sigmoid_forward(x: Array, out: Array) -> None:
    """out = 1 / (1 + exp(-x)), computed as tanh(x / 2) / 2 + 1/2, which cannot overflow."""
    np.multiply(x, 0.5, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 0.5, out=out)
    np.add(out, 0.5, out=out)


def sigmoid_backward(y: Array, dy: Array, dx: Array) -> None:
    """dx = dy * y * (1 - y), where y is the forward result."""
    np.multiply(dy, y * (1 - y), out=dx)


def tanh_forward(x: Array, out: Array) -> None:
    """out = tanh(x)."""
    np.tanh(x, out=out)


def tanh_backward(y: Array, dy: Array, dx: Array) -> None:
    """dx = dy * (1 - y * y), where y is the forward result."""
    np.multiply(dy, 1 - y * y, out=dx)
