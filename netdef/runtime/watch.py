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
