"""Bias gradients and sums of vectors; see the reference. Matrix products stand in ``gemm.py``."""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled.gemm import gemm  # noqa: F401 - the table looks for it here
from netdef.kernels.jit import kernel, prange

Array = np.ndarray


@kernel("f[3] f![1]", fastmath=True)
def _bias_grad(dy, db):
    for c in prange(dy.shape[1]):
        total = 0.0
        for o in range(dy.shape[0]):
            for i in range(dy.shape[2]):
                total += dy[o, c, i]
        db[c] += np.float32(total)


@kernel("f f[1] f![1]")
def _axpy(alpha, x, y):
    for i in prange(y.size):
        y[i] += alpha * x[i]


@kernel("f f[1] f![1]")
def _scale(alpha, x, out):
    for i in prange(out.size):
        out[i] = alpha * x[i]


@kernel("f[1] f[1] f![1]")
def _add(a, b, out):
    for i in prange(out.size):
        out[i] = a[i] + b[i]


@kernel("f[1] f[1] f![1]")
def _multiply(a, b, out):
    for i in prange(out.size):
        out[i] = a[i] * b[i]


def bias_grad(dy: Array, db: Array) -> None:
    """See the reference."""
    _bias_grad(dy, db)


def axpy(alpha: float, x: Array, y: Array) -> None:
    """See the reference."""
    _axpy(alpha, x.reshape(-1), y.reshape(-1))


def scale(alpha: float, x: Array, out: Array) -> None:
    """See the reference."""
    _scale(alpha, x.reshape(-1), out.reshape(-1))


def add(a: Array, b: Array, out: Array) -> None:
    """See the reference."""
    _add(a.reshape(-1), b.reshape(-1), out.reshape(-1))


def multiply(a: Array, b: Array, out: Array) -> None:
    """See the reference."""
    _multiply(a.reshape(-1), b.reshape(-1), out.reshape(-1))
