"""Gradients by central differences, and the rule by which two gradients agree. Pure functions on arrays.

Source: the acceptance rule, the objectives and the kink margin are those of Caffe's GradientChecker.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Kink:
    """A value of |x| where a layer's derivative jumps, and how near to it no difference is taken."""

    at: float = 0.0
    margin: float = 0.01

    def near(self, x: Array) -> Array:
        """Where |x| lies within the margin, as bools of the shape of x (so a kink at 1 means +1 and -1)."""
        return np.abs(np.abs(x) - self.at) <= self.margin


@dataclass(frozen=True)
class Mismatch:
    """One element whose two gradients disagree."""

    index: tuple[int, ...]
    analytic: float
    numeric: float

    def __str__(self) -> str:
        return f"at {self.index}: analytic {self.analytic:.9g}, numeric {self.numeric:.9g}{self._guess()}"

    def _guess(self) -> str:
        """The commonest mistakes by their ratio."""
        if self.numeric == 0 or not np.isfinite(self.analytic):
            return ""
        ratio = self.analytic / self.numeric
        known = {-1.0: "the sign is wrong", 2.0: "twice too large", 0.5: "half of what it should be",
                 0.0: "it is missing"}
        for value, text in known.items():
            if abs(ratio - value) < 1e-3:
                return f" ({text})"
        return ""


@dataclass(frozen=True)
class GradientReport:
    """How an analytic and a numeric gradient compare.

    ``worst`` is the largest |analytic - numeric| over max(|analytic|, |numeric|, 1); ``skipped`` counts elements that
    were left out (near a kink, or not in the sample). ``mismatches`` has the worst first.
    """

    name: str
    checked: int
    skipped: int
    worst: float
    mismatches: tuple[Mismatch, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every element that was checked agrees."""
        return not self.mismatches

    def __str__(self) -> str:
        head = f"gradient of {self.name}: "
        if self.ok:
            return f"{head}ok, {self.checked} checked, {self.skipped} skipped, worst {self.worst:.3g}"
        lines = [f"{head}{len(self.mismatches)} of {self.checked} elements are wrong"]
        lines += [f"    {m}" for m in self.mismatches[:3]]
        return "\n".join(lines)


def numeric_gradient(f: Callable[[], float | Array], x: Array, step: float = 1e-4, kink: Kink | None = None,
                     at: Iterable[int] | None = None) -> Array:
    """The derivative of ``f()`` by each element of ``x``: (f(x + step) - f(x - step)) / (2 * step).

    ``f`` takes nothing and reads ``x`` (writable), which is changed in place and put back. It returns a number, or an
    array of shape S for several objectives at once. ``at`` are the flat indices to do (default: all). The result has
    shape (*S, *x.shape), NaN where no difference was taken: near a kink, or not in ``at``.
    """
    shape = np.shape(f())
    gradient = np.full((*shape, x.size), np.nan)
    skip = kink.near(x).reshape(-1) if kink is not None else np.zeros(x.size, bool)
    for i in range(x.size) if at is None else at:
        if skip[i]:
            continue
        place = np.unravel_index(i, x.shape)
        old = x[place]
        x[place] = old + step
        above, upper = np.asarray(f(), np.float64), x[place]
        x[place] = old - step
        below, lower = np.asarray(f(), np.float64), x[place]
        x[place] = old
        gradient[..., i] = (above - below) / (float(upper) - float(lower))  # the step that was really made
    return gradient.reshape(*shape, *x.shape)


def compare_gradients(name: str, analytic: Array, numeric: Array, threshold: float = 1e-5) -> GradientReport:
    """Compare element by element: accept where |a - n| <= threshold * max(|a|, |n|, 1).

    NaN in ``numeric`` means skipped. A value of ``analytic`` that is not finite is a mismatch.
    """
    done = ~np.isnan(numeric)
    scale = np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)), 1)
    with np.errstate(invalid="ignore"):
        error = np.where(done, np.abs(analytic - numeric) / scale, 0.0)
    error = np.where(done & ~np.isfinite(error), np.inf, error)
    wrong = np.flatnonzero(error > threshold)
    worst_first = wrong[np.argsort(-error.reshape(-1)[wrong], kind="stable")]
    places = [np.unravel_index(i, error.shape) for i in worst_first]
    found = tuple(Mismatch(tuple(int(k) for k in p), float(analytic[p]), float(numeric[p])) for p in places)
    return GradientReport(name, int(done.sum()), int((~done).sum()), float(error.max(initial=0.0)), found)
