"""Statistics of tensors: the numbers that tables, watches and reports show."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Stats:
    """Of one array: mean absolute value, largest absolute value, L2 norm (all over the finite values), and the shares
    (0 to 1) of exact zeros and of values that are not finite."""

    count: int
    mean_abs: float
    max_abs: float
    l2: float
    zeros: float
    non_finite: float


def statistics(array: np.ndarray) -> Stats:
    """The statistics of an array of any shape; sums are taken in float64. An empty array gives zeros."""
    flat = np.abs(array.reshape(-1), dtype=np.float64)
    count = flat.size
    if count == 0:
        return Stats(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    finite = np.isfinite(flat)
    good = flat if finite.all() else flat[finite]
    if good.size == 0:
        return Stats(count, math.nan, math.nan, math.nan, 0.0, 1.0)
    largest = float(good.max())
    # scaled, so that squares of very large or small values neither overflow nor vanish
    l2 = largest * math.sqrt(float(np.square(good / largest).sum())) if largest > 0 else 0.0
    return Stats(count, float(good.mean()), largest, l2, float((flat == 0).mean()), 1.0 - good.size / count)


def first_non_finite(array: np.ndarray) -> tuple[int, ...] | None:
    """The index of the first NaN or infinity in C order, or None."""
    bad = ~np.isfinite(array)
    if not bad.any():
        return None
    return tuple(int(i) for i in np.unravel_index(int(bad.argmax()), array.shape))


def rms(array: np.ndarray) -> float:
    """Root of the mean square; NaN or infinity where a value is not finite. One fast pass; an empty array gives 0.

    A sum of squares that overflows the array's own type is taken again in float64.
    """
    flat = array.reshape(-1)
    if flat.size == 0:
        return 0.0
    with np.errstate(all="ignore"):
        squares = float(np.dot(flat, flat))
        if not math.isfinite(squares) and np.isfinite(flat).all():
            return statistics(flat).l2 / math.sqrt(flat.size)
    return math.sqrt(squares / flat.size)


def items_alike(array: np.ndarray) -> bool:
    """Whether all items (first axis) are equal, though there are several; usually two of them tell."""
    if array.ndim == 0 or len(array) < 2 or not np.array_equal(array[0], array[-1]):
        return False
    return bool((array[1:] == array[0]).all())


def dead_share(array: np.ndarray) -> float:
    """Share of the units (second axis; channels) of a rectifier's output that are 0 or below for every item and place.

    Of 0 for fewer than two axes, since there are no units to tell apart then.
    """
    if array.ndim < 2 or array.size == 0:
        return 0.0
    alive = (array.reshape(*array.shape[:2], -1) > 0).any(axis=2).any(axis=0)
    return 1.0 - float(alive.mean())


def saturated_share(array: np.ndarray, low: float, high: float, margin: float = 0.01) -> float:
    """Share of the values within ``margin`` of the range low..high of either of its ends."""
    if array.size == 0:
        return 0.0
    centre, reach = (low + high) / 2, (high - low) * (0.5 - margin)
    with np.errstate(invalid="ignore"):
        return float((np.abs(array - array.dtype.type(centre)) > reach).mean())
