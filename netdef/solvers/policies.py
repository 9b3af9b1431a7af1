"""Learning rate policies: pure functions of the solver's message ``p`` and the iteration ``t``.

Formulas from Caffe's src/caffe/solvers/sgd_solver.cpp (facts, not code); cosine and plateau are beyond it. ``t`` is the
number of updates done before the one that the rate is for. A new policy is one function with ``@policy``.
``Schedule`` lays the warm-up over a policy and keeps what plateau has learned.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from netdef.config.located import Located
from netdef.errors import did_you_mean
from netdef.layers.constraints import Constraint, not_negative, positive
from netdef.solvers.settings import check_range, field_error, require

Rate = Callable[[Any, int], float]
Count = Callable[[Any, int], int]

_NEEDED: dict[str, Constraint | None] = {  # fields that policies ask for, and their ranges (Caffe's checks)
    "gamma": not_negative(),
    "power": None,
    "stepsize": positive(),
    "stepvalue": None,
    "max_iter": positive(),
    "monitor": None,
}
_GIVEN: dict[str, Constraint] = {  # fields that need not be there, and their ranges
    "warmup_iter": not_negative(),
    "warmup_start": not_negative(),
    "min_lr": not_negative(),
    "plateau_patience": positive(),
}


def _no_steps(p: Any, t: int) -> int:
    return 0


@dataclass(frozen=True)
class Policy:
    """A policy: ``rate(p, t)`` and, for those that go in steps, ``count(p, t)``, the steps passed."""

    name: str
    rate: Rate
    needs: tuple[str, ...]
    count: Count

    def current_step(self, p: Any, iterations: int) -> int:
        """The value Caffe keeps beside the iteration in a snapshot: the steps passed at the last update done."""
        return self.count(p, iterations - 1) if iterations else 0


_policies: dict[str, Policy] = {}


def policy(name: str, *needs: str, count: Count = _no_steps) -> Callable[[Rate], Rate]:
    """Decorator: make a rate known as ``lr_policy: "name"``; ``needs`` are the fields that must be given."""

    def add(rate: Rate) -> Rate:
        _policies[name] = Policy(name, rate, needs, count)
        return rate

    return add


def policy_names() -> list[str]:
    """All known policies, in the order of this file."""
    return list(_policies)


def find_policy(solver: Located) -> Policy:
    """The policy a solver asks for; raises FieldError where it is missing or unknown, or lacks a field it needs."""
    name = solver.message.lr_policy
    if not name:
        raise field_error(solver, "lr_policy", "missing", f"one of {', '.join(_policies)}")
    if name not in _policies:
        raise field_error(solver, "lr_policy", f"unknown policy '{name}'",
                          did_you_mean(name, _policies) or f"one of {', '.join(_policies)}")
    found = _policies[name]
    user = f"lr_policy \"{name}\""
    require(solver, "base_lr", "every solver")
    for field in found.needs:
        require(solver, field, user, _NEEDED[field])
    for field, constraint in _GIVEN.items():
        check_range(solver, field, constraint)
    return found


def _power(base: float, exponent: float) -> float:
    """C's pow: infinite where it overflows, NaN where it is not real."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if base == 0 else math.nan


def _steps(p: Any, t: int) -> int:
    return t // int(p.stepsize)


def _values_passed(p: Any, t: int) -> int:
    """How many step values lie at or before ``t``. As Caffe's counter, one that moves by at most one an iteration:
    a value that is not above the one before it takes effect an iteration later."""
    passed, reached = 0, -1
    for value in p.stepvalue:
        reached = max(value, reached + 1)
        if reached > t:
            break
        passed += 1
    return passed


@policy("fixed")
def fixed(p: Any, t: int) -> float:
    """base_lr."""
    return float(p.base_lr)


@policy("step", "gamma", "stepsize", count=_steps)
def step(p: Any, t: int) -> float:
    """base_lr * gamma ^ floor(t / stepsize)."""
    return float(p.base_lr) * _power(p.gamma, _steps(p, t))


@policy("exp", "gamma")
def exp(p: Any, t: int) -> float:
    """base_lr * gamma ^ t."""
    return float(p.base_lr) * _power(p.gamma, t)


@policy("inv", "gamma", "power")
def inv(p: Any, t: int) -> float:
    """base_lr * (1 + gamma * t) ^ -power."""
    return float(p.base_lr) * _power(1 + p.gamma * t, -p.power)


@policy("multistep", "gamma", "stepvalue", count=_values_passed)
def multistep(p: Any, t: int) -> float:
    """base_lr * gamma ^ (number of step values <= t)."""
    return float(p.base_lr) * _power(p.gamma, _values_passed(p, t))


@policy("poly", "power", "max_iter")
def poly(p: Any, t: int) -> float:
    """base_lr * (1 - t / max_iter) ^ power; 0 from max_iter on (Caffe gives NaN beyond it for most powers)."""
    return float(p.base_lr) * _power(max(0.0, 1 - t / p.max_iter), p.power)


@policy("sigmoid", "gamma", "stepsize")
def sigmoid(p: Any, t: int) -> float:
    """base_lr / (1 + e ^ (-gamma * (t - stepsize))): it rises, for gamma must not be negative."""
    x = -p.gamma * (t - p.stepsize)
    return float(p.base_lr) / (1 + math.exp(x)) if x < 700 else 0.0  # e^710 is too large for a double


@policy("cosine", "max_iter")
def cosine(p: Any, t: int) -> float:
    """min_lr + (base_lr - min_lr) * (1 + cos(pi * t / max_iter)) / 2; min_lr from max_iter on."""
    share = min(1.0, t / p.max_iter)
    return float(p.min_lr + (p.base_lr - p.min_lr) * (1 + math.cos(math.pi * share)) / 2)


@policy("plateau", "gamma", "monitor")
def plateau(p: Any, t: int) -> float:
    """base_lr; ``Schedule`` multiplies it by gamma for each plateau of the monitor."""
    return float(p.base_lr)


class Schedule:
    """The learning rate of one training: its policy, the warm-up before it, and the plateaus passed (``lowered``)."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.lowered = 0

    def rate(self, p: Any, t: int) -> float:
        """The rate of the update after ``t`` updates, before any lr_mult."""
        rate = self.policy.rate(p, t)
        if self.lowered:
            rate = max(min(rate, float(p.min_lr)), rate * _power(p.gamma, self.lowered))
        if t < p.warmup_iter:
            rate = p.warmup_start + (rate - p.warmup_start) * t / p.warmup_iter
        return float(rate)

    @property
    def waits_for_plateaus(self) -> bool:
        """Whether the monitor decides about the rate."""
        return self.policy.name == "plateau"
