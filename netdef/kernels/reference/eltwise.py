"""The larger of several arrays, element by element, and which one it came from; a sum behind a rectifier. One shape for
all; winner is int32."""
from __future__ import annotations

import numpy as np

from netdef import kernels as K

Array = np.ndarray


def add_relu_forward(a: Array, b: Array, slope: float, out: Array) -> None:
    """out = relu(a + b), with ``slope`` below zero; out may be a or b."""
    K.add(a, b, out)
    K.relu_forward(out, slope, out)


def add_relu_backward(y: Array, dy: Array, slope: float, da: Array, db: Array) -> None:
    """dy, da and db become what the ReLU that made y passes of dy."""
    K.relu_backward(y, dy, slope, dy)
    K.scale(1.0, dy, da)
    K.scale(1.0, dy, db)


def larger(a: Array, b: Array, out: Array, winner: Array) -> None:
    """out = a and winner = 0 where a > b, else b and 1: b wins a tie, and where either is NaN."""
    first = a > b
    np.logical_not(first, out=winner, casting="unsafe")
    np.copyto(out, b)
    np.copyto(out, a, where=first)


def larger_yet(x: Array, number: int, out: Array, winner: Array) -> None:
    """out = x and winner = number where x > out; the rest stays."""
    better = x > out
    np.copyto(out, x, where=better)
    np.copyto(winner, number, where=better)


def larger_backward(dy: Array, winner: Array, number: int, dx: Array) -> None:
    """dx = dy where winner is number, else 0, even if dy is not finite."""
    dx[...] = 0
    np.copyto(dx, dy, where=winner == number)
