"""Solver updates in one sweep of memory each, and sums by fixed chunks; see the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import kernel, prange
from netdef.kernels.reference.update import CHUNK

Array = np.ndarray


@kernel("f![1] f[1] f![1] f f f")
def _sgd_update(w, g, history, lr, momentum, decay):
    for i in prange(w.size):
        step = momentum * history[i] + lr * (g[i] + decay * w[i])
        history[i] = step
        w[i] -= step


@kernel("f![1] f[1] f![1] f f f")
def _nesterov_update(w, g, history, lr, momentum, decay):
    for i in prange(w.size):
        coasting = momentum * history[i]
        new = coasting + lr * (g[i] + decay * w[i])
        history[i] = new
        w[i] -= (np.float32(1) + momentum) * new - coasting


@kernel("f![1] f[1] f![1] f![1] f f f f f")
def _adam_update(w, g, m, v, rate, beta1, beta2, delta, decay):
    one = np.float32(1)
    for i in prange(w.size):
        gradient = g[i] + decay * w[i]
        m[i] = beta1 * m[i] + (one - beta1) * gradient
        v[i] = beta2 * v[i] + (one - beta2) * (gradient * gradient)
        w[i] -= rate * (m[i] / (np.sqrt(v[i]) + delta))


@kernel("f[1] f f![1]")
def _l2_decay(w, decay, g):
    for i in prange(w.size):
        g[i] += decay * w[i]


@kernel("f[1] f f![1]")
def _l1_decay(w, decay, g):
    for i in prange(w.size):
        v = w[i]
        g[i] += decay if v > 0 else (-decay if v < 0 else v)  # v is 0 or NaN here


@kernel("f[1] d![1]", fastmath=True)
def _partial_squares(x, partial):
    for chunk in prange(partial.size):
        total = 0.0
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, x.size)):
            total += np.float64(x[i]) * np.float64(x[i])
        partial[chunk] = total


@kernel("f[1] d![1]", fastmath=True)
def _partial_abs(x, partial):
    for chunk in prange(partial.size):
        total = 0.0
        for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, x.size)):
            total += abs(np.float64(x[i]))
        partial[chunk] = total


def sgd_update(w: Array, g: Array, history: Array, lr: float, momentum: float, decay: float = 0.0) -> None:
    """See the reference."""
    _sgd_update(w.reshape(-1), g.reshape(-1), history.reshape(-1), lr, momentum, decay)


def nesterov_update(w: Array, g: Array, history: Array, lr: float, momentum: float, decay: float = 0.0) -> None:
    """See the reference."""
    _nesterov_update(w.reshape(-1), g.reshape(-1), history.reshape(-1), lr, momentum, decay)


def adam_update(w: Array, g: Array, m: Array, v: Array, rate: float, beta1: float, beta2: float, delta: float,
                decay: float = 0.0) -> None:
    """See the reference."""
    _adam_update(w.reshape(-1), g.reshape(-1), m.reshape(-1), v.reshape(-1), rate, beta1, beta2, delta, decay)


def l2_decay(w: Array, decay: float, g: Array) -> None:
    """See the reference."""
    _l2_decay(w.reshape(-1), decay, g.reshape(-1))


def l1_decay(w: Array, decay: float, g: Array) -> None:
    """See the reference."""
    _l1_decay(w.reshape(-1), decay, g.reshape(-1))


def sum_squares(x: Array) -> float:
    """See the reference."""
    partial = np.empty(-(-x.size // CHUNK), np.float64)
    _partial_squares(x.reshape(-1), partial)
    return float(sum(partial.tolist()))


def sum_abs(x: Array) -> float:
    """See the reference."""
    partial = np.empty(-(-x.size // CHUNK), np.float64)
    _partial_abs(x.reshape(-1), partial)
    return float(sum(partial.tolist()))
