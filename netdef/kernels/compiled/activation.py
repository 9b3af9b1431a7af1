"""Activations and their gradients in one sweep of memory each; see the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled.exponential import ONE, exp32, expm1_negative
from netdef.kernels.jit import kernel, prange

Array = np.ndarray


@kernel("f[1] f f![1]")
def _relu(x, slope, out):
    for i in prange(x.size):
        v = x[i]
        out[i] = slope * v if v <= 0 else v  # a NaN is not <= 0 and stays


@kernel("f[1] f![1]")
def _relu_zero(x, out):
    for i in prange(x.size):
        v = x[i]
        out[i] = np.float32(0) if v <= 0 else v  # not 0 * v, which is NaN for -inf


@kernel("f[1] f[1] f f![1]")
def _relu_gradient(seen, dy, slope, dx):
    for i in prange(dy.size):
        dx[i] = dy[i] if seen[i] > 0 else slope * dy[i]


@kernel("f[1] f[1] f![1]")
def _relu_gradient_zero(seen, dy, dx):
    for i in prange(dy.size):
        dx[i] = dy[i] if seen[i] > 0 else np.float32(0)


@kernel("f[1] f f![1]")
def _elu(x, alpha, out):
    for i in prange(x.size):
        v = x[i]
        low = alpha * expm1_negative(v if v < 0 else np.float32(0))
        out[i] = low if v <= 0 else v  # a NaN is not <= 0 and stays


@kernel("f[1] f[1] f[1] f f![1]")
def _elu_gradient(seen, y, dy, alpha, dx):
    for i in prange(dy.size):
        low = (y[i] + alpha) * dy[i]
        dx[i] = dy[i] if seen[i] > 0 else low


@kernel("f[1] f![1]")
def _sigmoid(x, out):
    for i in prange(x.size):
        out[i] = ONE / (ONE + exp32(-x[i]))


@kernel("f[1] f![1]")
def _tanh(x, out):
    for i in prange(x.size):
        v = x[i]
        shrunk = expm1_negative(-abs(v + v))  # e^(-2|x|) - 1, so that nothing overflows
        size = -shrunk / (shrunk + np.float32(2))
        out[i] = -size if v < 0 else size


@kernel("f[1] f[1] f![1]")
def _sigmoid_gradient(y, dy, dx):
    for i in prange(dy.size):
        dx[i] = dy[i] * (y[i] * (np.float32(1) - y[i]))


@kernel("f[1] f[1] f![1]")
def _tanh_gradient(y, dy, dx):
    for i in prange(dy.size):
        dx[i] = dy[i] * (np.float32(1) - y[i] * y[i])


def relu_forward(x: Array, slope: float, out: Array) -> None:
    """See the reference."""
    if slope == 0:
        _relu_zero(x.reshape(-1), out.reshape(-1))
    else:
        _relu(x.reshape(-1), slope, out.reshape(-1))


def relu_backward(seen: Array, dy: Array, slope: float, dx: Array) -> None:
    """See the reference."""
    if slope == 0:
        _relu_gradient_zero(seen.reshape(-1), dy.reshape(-1), dx.reshape(-1))
    else:
        _relu_gradient(seen.reshape(-1), dy.reshape(-1), slope, dx.reshape(-1))


def elu_forward(x: Array, alpha: float, buffer: Array, out: Array) -> None:
    """See the reference."""
    _elu(x.reshape(-1), alpha, out.reshape(-1))


def elu_backward(seen: Array, y: Array, dy: Array, alpha: float, buffer: Array, dx: Array) -> None:
    """See the reference."""
    _elu_gradient(seen.reshape(-1), y.reshape(-1), dy.reshape(-1), alpha, dx.reshape(-1))


def sigmoid_forward(x: Array, out: Array) -> None:
    """See the reference."""
    _sigmoid(x.reshape(-1), out.reshape(-1))


def tanh_forward(x: Array, out: Array) -> None:
    """See the reference."""
    _tanh(x.reshape(-1), out.reshape(-1))


def sigmoid_backward(y: Array, dy: Array, dx: Array) -> None:
    """See the reference."""
    _sigmoid_gradient(y.reshape(-1), dy.reshape(-1), dx.reshape(-1))


def tanh_backward(y: Array, dy: Array, dx: Array) -> None:
    """See the reference."""
    _tanh_gradient(y.reshape(-1), dy.reshape(-1), dx.reshape(-1))
