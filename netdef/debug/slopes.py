"""Slopes by differences, with an eye for kinks and rounding. Pure functions.

A coordinate sits at a kink when the slopes to its left and right differ (a ReLU at 0, a tie in a max pool): there is no
gradient to compare there.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STEPS = (1e-5, 1e-6, 1e-7)  # relative to the size of what is moved; smaller ones escape more kinks


@dataclass(frozen=True)
class Slope:
    """A central difference, and how far rounding of the function's value may have moved it."""

    value: float
    noise: float

    def agrees(self, analytic: float, tolerance: float, floor: float) -> bool:
        """Whether an analytic derivative is the same within ``tolerance`` of the larger of the two (at least ``floor``)."""
        return abs(analytic - self.value) <= tolerance * max(abs(analytic), abs(self.value), floor) + self.noise


def slope(moved: Callable[[float], float], centre: float, size: float, tolerance: float, floor: float) -> Slope | None:
    """The derivative of ``moved`` at 0, where its value is ``centre``, or None at a kink.

    ``size`` is the size of what is moved (steps are relative to it, or to 1 if it is smaller). A smooth function has
    the same slope on both sides, up to the step times its curvature; where they still differ with the smallest step, one
    of the many values that depend on the moved one crosses a kink.
    """
    for relative in STEPS:
        step = relative * max(1.0, size)
        above, below = moved(step), moved(-step)
        right, left = (above - centre) / step, (centre - below) / step
        noise = 1e-14 * max(abs(centre), 1.0) / step
        if not np.isfinite(right + left):
            return Slope(float("nan"), 0.0)
        if abs(right - left) <= tolerance / 2 * max(abs(right), abs(left), floor) + 4 * noise:
            return Slope((above - below) / (2 * step), noise)
    return None


def index_of(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A flat index as one index an axis."""
    return tuple(int(i) for i in np.unravel_index(flat, shape)) if shape else ()
