"""Goals: what an output should be, as a loss of the outputs with its gradient, and how far off it is."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from netdef.errors import NetdefError
from netdef.probe.subject import linked

Pair = tuple[np.ndarray, np.ndarray]


class Goal(Protocol):
    """Something to reach: ``loss`` gives the loss of each item (N) and its gradient by the outputs (N, ...)."""

    def loss(self, outputs: np.ndarray) -> Pair:
        """Loss (N) and its gradient by ``outputs`` (N, ...)."""

    def residual(self, outputs: np.ndarray) -> float:
        """How far the first item is from the goal; 0 when it is reached, infinite for a goal without an end."""

    def report(self, outputs: np.ndarray) -> str:
        """The same in words."""


@dataclass(frozen=True)
class ClassGoal:
    """Item n is to be of class ``classes[n]`` (one for all items will do): cross-entropy of scores (N, C, ...).

    ``link`` says how scores become probabilities; without one they are taken as scores of a softmax. ``away``: items are to
    be of any other class, so that the loss is turned round. Raises NetdefError for a class that the outputs have not.
    """

    classes: tuple[int, ...]
    link: str = "softmax"
    away: bool = False

    def loss(self, outputs: np.ndarray) -> Pair:
        """-log p of the class (or its opposite), and its gradient: p - 1 at the class, p elsewhere."""
        rows = self._rows(outputs)
        index = np.arange(len(rows)), self._index(rows)
        p = linked(rows, self.link or "softmax")
        if self.link == "sigmoid":
            losses, gradient = np.logaddexp(0, -rows[index]), np.zeros_like(rows)
            gradient[index] = p[index] - 1
        else:
            losses, gradient = -(rows[index] - _log_sum(rows)), p
            gradient[index] -= 1
        sign = -1.0 if self.away else 1.0
        return sign * losses, (sign * gradient).reshape(outputs.shape)

    def residual(self, outputs: np.ndarray) -> float:
        """1 - p of the class."""
        rows = self._rows(outputs)[:1]
        return 1 - float(linked(rows, self.link or "softmax")[0, self._index(rows)[0]])

    def report(self, outputs: np.ndarray) -> str:
        """``class 3: probability 0.9991, residual |p - 1| 9.1e-04; most likely is class 3``."""
        rows = self._rows(outputs)[:1]
        wanted, off = self._index(rows)[0], self.residual(outputs)
        return (f"class {wanted}: probability {1 - off:.6f}, residual |p - 1| {off:.3g}; "
                f"most likely is class {int(rows[0].argmax())}")

    def _rows(self, outputs: np.ndarray) -> np.ndarray:
        rows = outputs.reshape(len(outputs), -1).astype(np.float64)
        if outputs.ndim < 2 or rows.shape[1] != outputs.shape[1]:
            raise NetdefError(f"class: expected one score a class, (N, C), got outputs of shape {outputs.shape}",
                              hint="ask for a unit of the blob instead")
        return rows

    def _index(self, rows: np.ndarray) -> np.ndarray:
        index = np.resize(np.asarray(self.classes), len(rows))
        bad = next((c for c in self.classes if not 0 <= c < rows.shape[1]), None)
        if bad is not None:
            raise NetdefError(f"there is no class {bad}: the outputs have {rows.shape[1]}, from 0")
        return index


@dataclass(frozen=True)
class ValuesGoal:
    """The outputs are to be ``wanted`` (...): half the squared distance, relative to the squared length of ``wanted``."""

    wanted: np.ndarray

    def loss(self, outputs: np.ndarray) -> Pair:
        """|f - wanted|^2 / 2 |wanted|^2 and its gradient."""
        off = outputs.astype(np.float64) - self._wanted(outputs)
        scale = self._length() ** 2
        return (off.reshape(len(off), -1) ** 2).sum(axis=1) / (2 * scale), off / scale

    def residual(self, outputs: np.ndarray) -> float:
        """|f - wanted| / |wanted|, Euclidean."""
        return float(np.linalg.norm(outputs[0].astype(np.float64) - self._wanted(outputs)[0])) / self._length()

    def report(self, outputs: np.ndarray) -> str:
        """``residual |f(x) - wanted|: largest 0.012, relative 3.4e-03``."""
        return residual_text(outputs[0].astype(np.float64), self._wanted(outputs)[0])

    def _wanted(self, outputs: np.ndarray) -> np.ndarray:
        if self.wanted.size != math.prod(outputs.shape[1:]):
            raise NetdefError(f"expected {math.prod(outputs.shape[1:])} wanted values, for a blob of "
                              f"{outputs.shape[1:]} an item, got {self.wanted.size}")
        return np.broadcast_to(self.wanted.reshape(1, *outputs.shape[1:]), outputs.shape)

    def _length(self) -> float:
        return float(np.linalg.norm(self.wanted)) or 1.0


@dataclass(frozen=True)
class UnitGoal:
    """A unit's value is to be as large as it gets. ``unit`` is an index (c), (c, y, x), ...; an index with fewer numbers
    than the blob has axes means the mean over the rest: (c) of an image blob is the mean of the channel."""

    unit: tuple[int, ...]

    def loss(self, outputs: np.ndarray) -> Pair:
        """-value and its gradient."""
        picked = self.pick(outputs)
        gradient = np.zeros(outputs.shape)
        where: tuple[Any, ...] = (slice(None), *self.unit)
        gradient[where] = -1 / max(1, picked[0].size)
        return -picked.reshape(len(outputs), -1).mean(axis=1, dtype=np.float64), gradient

    def pick(self, outputs: np.ndarray) -> np.ndarray:
        """The unit's values (N, ...). Raises NetdefError where there is no such unit."""
        shape = outputs.shape[1:]
        if len(self.unit) > len(shape) or any(not 0 <= u < n for u, n in zip(self.unit, shape, strict=False)):
            raise NetdefError(f"there is no unit {','.join(map(str, self.unit))} in a blob of {shape} an item",
                              hint=f"indices run from 0, at most {len(shape)} of them")
        where: tuple[Any, ...] = (slice(None), *self.unit)
        return np.asarray(outputs[where])

    def residual(self, outputs: np.ndarray) -> float:
        """Infinite: a maximum is not known beforehand."""
        return math.inf

    def report(self, outputs: np.ndarray) -> str:
        """``unit 3: value 12.3``."""
        return f"unit {','.join(map(str, self.unit))}: value {-float(self.loss(outputs)[0][0]):.6g}"


def residual_text(got: np.ndarray, wanted: np.ndarray) -> str:
    """``residual |f(x) - wanted|: largest 0.012, relative 3.4e-03``."""
    largest, relative = residuals(got, wanted)
    return f"residual |f(x) - wanted|: largest {largest:.3g}, relative {relative:.3g}"


def residuals(got: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """The largest difference, and the Euclidean length of the difference by that of ``wanted`` (by 1 where that is 0)."""
    off = np.asarray(got, np.float64).reshape(-1) - np.asarray(wanted, np.float64).reshape(-1)
    return float(np.abs(off).max(initial=0)), float(np.linalg.norm(off)) / (float(np.linalg.norm(wanted)) or 1.0)


def unit_of(text: str) -> tuple[int, ...]:
    """``3`` or ``3,4,4`` as an index. Raises NetdefError."""
    parts = [p.strip() for p in text.split(",")]
    if not all(p.isdecimal() for p in parts):
        raise NetdefError(f"expected a unit such as 3 or 3,4,4 (channel, row, column), got '{text}'")
    return tuple(map(int, parts))


def class_of(text: str, labels: Sequence[str] | None, count: int | None) -> int:
    """A class by its number, or by its name where there are labels. Raises NetdefError."""
    from netdef.data.labels import short
    from netdef.errors import did_you_mean

    if text.isdecimal() and (labels is None or text not in labels):
        if count is not None and int(text) >= count:
            raise NetdefError(f"there is no class {text}: the net knows {count}, from 0 to {count - 1}")
        return int(text)
    names = {name: i for i, label in reversed(list(enumerate(labels or ()))) for name in (short(label), label)}
    if text not in names:
        raise NetdefError(f"there is no class '{text}'", hint=did_you_mean(text, names)
                          or ("" if labels else "give names with --labels FILE, or a number"))
    return names[text]


def _log_sum(rows: np.ndarray) -> np.ndarray:
    high = rows.max(axis=1)
    return np.asarray(high + np.log(np.exp(rows - high[:, None]).sum(axis=1)))
