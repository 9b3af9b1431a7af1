"""The gradient of a function that is known by its values only: central differences, for Python layers."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from netdef.layers.base import Shape

Array = np.ndarray
Function = Callable[[list[Array], list[Shape]], list[Array]]
"""From the values of all bottoms, and the shapes that all tops must get, to the values of all tops; float64."""


def by_whole(function: Function, bottoms: Sequence[Array], top_diffs: Sequence[Array], moved: Array, step: float
             ) -> Array:
    """The gradient of sum(top diff * top) by ``moved``, an array that ``function`` reads (one of the bottoms, a param).

    One value after the other is moved up and down by ``step``; ``moved`` is as before at the end.
    """
    gradient = np.zeros(moved.shape)
    flat, out, shapes = moved.reshape(-1), gradient.reshape(-1), [dy.shape for dy in top_diffs]
    for i in range(flat.size):  # each is a call of the user's forward
        old = flat[i]
        tops = []
        for to in (old + step, old - step):
            flat[i] = to
            tops.append([np.array(t) for t in function(list(bottoms), shapes)])
        flat[i] = old
        out[i] = sum(float(np.vdot(dy, up - down)) for dy, up, down in zip(top_diffs, *tops, strict=True)) / (2 * step)
    return gradient


def by_items(function: Function, bottoms: Sequence[Array], top_diffs: Sequence[Array], which: int, step: float,
             batch: int) -> Array:
    """The same by bottom ``which``, where item n (axis 0) of each top depends on item n of the bottoms alone.

    ``batch`` items go through ``function`` at once, each with one of its values moved.
    """
    x = bottoms[which]
    size = x.size // max(len(x), 1)
    out = np.zeros((len(x), size))
    for first in range(0, out.size, batch):
        index = np.arange(first, min(first + batch, out.size))
        items, values = np.divmod(index, size)
        gathered = [b[items] for b in bottoms]
        flat = gathered[which].reshape(len(index), size)
        old = flat[np.arange(len(index)), values]
        change = np.zeros(len(index))
        for sign in (1, -1):
            flat[np.arange(len(index)), values] = old + sign * step
            made = function(gathered, [(len(index), *dy.shape[1:]) for dy in top_diffs])
            for dy, y in zip(top_diffs, made, strict=True):
                change += sign * np.einsum("ij,ij->i", dy[items].reshape(len(index), -1), y.reshape(len(index), -1))
        out[items, values] = change / (2 * step)
    return out.reshape(x.shape)
