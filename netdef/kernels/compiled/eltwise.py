"""The larger of several arrays, and a sum behind a rectifier, in one sweep of memory each; see the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import kernel, prange

Array = np.ndarray


@kernel("f[1] f[1] f![1] j![1]")
def _larger(a, b, out, winner):
    for i in prange(out.size):
        first = a[i] > b[i]
        out[i] = a[i] if first else b[i]
        winner[i] = np.int32(0) if first else np.int32(1)


@kernel("f[1] j f![1] j![1]")
def _larger_yet(x, number, out, winner):
    for i in prange(out.size):
        better = x[i] > out[i]
        out[i] = x[i] if better else out[i]
        winner[i] = number if better else winner[i]


@kernel("f[1] j[1] j f![1]")
def _larger_gradient(dy, winner, number, dx):
    for i in prange(dx.size):
        dx[i] = dy[i] if winner[i] == number else np.float32(0)


@kernel("f[1] f[1] f f![1]")
def _add_relu(a, b, slope, out):
    flat = slope == 0
    for i in prange(out.size):
        v = a[i] + b[i]
        low = np.float32(0) if flat else slope * v
        out[i] = low if v <= 0 else v


@kernel("f[1] f![1] f f![1] f![1]")
def _add_relu_gradient(y, dy, slope, da, db):
    flat = slope == 0
    for i in prange(dy.size):
        low = np.float32(0) if flat else slope * dy[i]
        passed = dy[i] if y[i] > 0 else low
        dy[i] = passed
        da[i] = passed
        db[i] = passed


def add_relu_forward(a: Array, b: Array, slope: float, out: Array) -> None:
    """See the reference."""
    _add_relu(a.reshape(-1), b.reshape(-1), slope, out.reshape(-1))


def add_relu_backward(y: Array, dy: Array, slope: float, da: Array, db: Array) -> None:
    """See the reference."""
    _add_relu_gradient(y.reshape(-1), dy.reshape(-1), slope, da.reshape(-1), db.reshape(-1))


def larger(a: Array, b: Array, out: Array, winner: Array) -> None:
    """See the reference."""
    _larger(a.reshape(-1), b.reshape(-1), out.reshape(-1), winner.reshape(-1))


def larger_yet(x: Array, number: int, out: Array, winner: Array) -> None:
    """See the reference."""
    _larger_yet(x.reshape(-1), number, out.reshape(-1), winner.reshape(-1))


def larger_backward(dy: Array, winner: Array, number: int, dx: Array) -> None:
    """See the reference."""
    _larger_gradient(dy.reshape(-1), winner.reshape(-1), number, dx.reshape(-1))
