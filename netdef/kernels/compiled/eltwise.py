"""The larger of several arrays, in one sweep of memory each; see the reference."""
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


def larger(a: Array, b: Array, out: Array, winner: Array) -> None:
    """See the reference."""
    _larger(a.reshape(-1), b.reshape(-1), out.reshape(-1), winner.reshape(-1))


def larger_yet(x: Array, number: int, out: Array, winner: Array) -> None:
    """See the reference."""
    _larger_yet(x.reshape(-1), number, out.reshape(-1), winner.reshape(-1))


def larger_backward(dy: Array, winner: Array, number: int, dx: Array) -> None:
    """See the reference."""
    _larger_gradient(dy.reshape(-1), winner.reshape(-1), number, dx.reshape(-1))
