"""Constraints of options as data: they validate, phrase the message, and give the bad values that tests try."""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdef.errors import Collector

if TYPE_CHECKING:
    from netdef.layers.base import LayerSpec


@dataclass(frozen=True)
class Constraint:
    """A number's range. ``low_open`` / ``high_open`` leave the end out; ``required``: the config must give it."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    required: bool = False
    odd: bool = False

    def allows(self, value: float) -> bool:
        """Whether ``value`` lies in the range (NaN never does)."""
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below and not (self.odd and value % 2 == 0)

    def __str__(self) -> str:
        kind = "an odd number" if self.odd else "a number"
        if math.isinf(self.low) and math.isinf(self.high):
            return kind
        if math.isinf(self.high):
            return f"{kind} {'above' if self.low_open else 'of at least'} {self.low:g}"
        if math.isinf(self.low):
            return f"{kind} {'below' if self.high_open else 'of at most'} {self.high:g}"
        ends = ("(" if self.low_open else "[", ")" if self.high_open else "]")
        return f"{kind} in {ends[0]}{self.low:g}, {self.high:g}{ends[1]}"

    def bad_values(self) -> list[float]:
        """Values just outside, for negative tests."""
        bad: list[float] = []
        if not math.isinf(self.low):
            bad.append(self.low if self.low_open else self.low - 1)
        if not math.isinf(self.high):
            bad.append(self.high if self.high_open else self.high + 1)
        if self.odd:
            bad.append(self.low + 1)
        return bad


def positive(required: bool = False) -> Constraint:
    """At least 1."""
    return Constraint(low=1, required=required)


def not_negative() -> Constraint:
    """At least 0."""
    return Constraint(low=0)


def check_constraints(spec: LayerSpec, constraints: Mapping[str, Constraint]) -> None:
    """Raise FieldError (ConfigErrors for several) where an option breaks its constraint."""
    errors = Collector()
    for option, constraint in constraints.items():
        with errors:
            _check(spec, option, constraint)
    errors.raise_all()


def _check(spec: LayerSpec, option: str, constraint: Constraint) -> None:
    if not spec.has(option):
        if constraint.required:
            raise spec.error(f"missing; expected {constraint}", option)
        return
    value: Any = getattr(spec.options, option)
    for v in value if hasattr(value, "append") else [value]:
        if not constraint.allows(v):
            raise spec.error(f"expected {constraint}, got {v:g}", option)
