"""The larger of several arrays, element by element, and which one it came from. One shape for all; winner is int32."""
from __future__ import annotations

import numpy as np

Array = np.ndarray


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
