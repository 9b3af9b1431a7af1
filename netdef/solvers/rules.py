"""Rules: how a gradient becomes a change of a param. SGD and Nesterov here, the adaptive ones in ``adaptive.py``.

Arithmetic and the order of histories are Caffe's (src/caffe/solvers/*.cpp), so that its .solverstate files fit.
The learning rate stands inside the momentum: a changed rate acts with a delay (see docs/glossary).
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from netdef import kernels as K
from netdef.blob import Blob
from netdef.config.located import Located
from netdef.errors import did_you_mean
from netdef.layers.constraints import Constraint
from netdef.solvers.settings import check_range, field_error

Array = np.ndarray


class Rule:
    """Base of the rules.

    ``histories``     arrays kept for each owned param; ``history`` lists the first ones of all params, then the second
    ``momentum``      whether the rule has a use for `momentum` (Caffe refuses it where not)
    ``decoupled``     weight decay shrinks the param itself (times the rate) and stays out of the gradient
    ``ranges``        solver fields of the rule with their constraints
    """

    type: ClassVar[str] = ""
    histories: ClassVar[int] = 1
    momentum: ClassVar[bool] = True
    decoupled: ClassVar[bool] = False
    ranges: ClassVar[dict[str, Constraint]] = {}

    def __init__(self, p: Any, blobs: Sequence[Blob], names: Sequence[str] = ()) -> None:
        """``p`` is the SolverParameter, read anew in each update; ``blobs`` the owned params in net order."""
        self.p = p
        self.count = len(blobs)
        self.history: list[Array] = [np.zeros(b.shape, b.dtype) for _ in range(self.histories) for b in blobs]
        self.names: list[str] = list(names) or [b.name for b in blobs]

    def update(self, k: int, w: Array, g: Array, rate: float, iteration: int) -> None:
        """Change param ``k`` (values ``w``, gradient ``g``, one shape) by the learning rate ``rate``.

        ``g`` may be used as scratch. ``iteration`` is the number of updates done before this one.
        """
        raise NotImplementedError(f"{type(self).__name__}.update")

    def history_name(self, i: int) -> str:
        """What history ``i`` belongs to, for messages: ``conv1[0]``, or with several a param ``conv1[0] (2nd)``."""
        name = self.names[i % self.count]
        return name if self.histories == 1 else f"{name} ({('1st', '2nd')[i // self.count]})"


class DecayingRule(Rule):
    """Base of the rules whose ``update`` adds L2 weight decay to the gradient itself: one sweep of memory instead of two."""

    def update(self, k: int, w: Array, g: Array, rate: float, iteration: int, decay: float = 0.0) -> None:
        """As in ``Rule``, with the gradient g + decay * w; ``g`` is only read."""
        raise NotImplementedError(f"{type(self).__name__}.update")


_rules: dict[str, type[Rule]] = {}
R = TypeVar("R", bound=type[Rule])


def rule(name: str) -> Callable[[R], R]:
    """Class decorator: make a rule known as ``type: "name"``."""

    def add(cls: R) -> R:
        cls.type = name
        _rules[name] = cls
        return cls

    return add


def rules() -> dict[str, type[Rule]]:
    """All known rules by name."""
    from netdef.solvers import adaptive  # noqa: F401  (registers its classes; it imports this file)

    return dict(_rules)


def find_rule(solver: Located) -> type[Rule]:
    """The rule a solver asks for; raises FieldError for an unknown type, or a field it cannot work with."""
    known = rules()
    name = solver.message.type
    if name not in known:
        raise field_error(solver, "type", f"unknown solver type '{name}'",
                          did_you_mean(name, known) or f"one of {', '.join(known)}")
    cls = known[name]
    if not cls.momentum and solver.message.momentum != 0:
        raise field_error(solver, "momentum", f"{name} has no momentum, got {solver.message.momentum:g}",
                          "drop it, or take another type")
    for field, constraint in cls.ranges.items():
        check_range(solver, field, constraint)
    return cls


@rule("SGD")
class SGD(DecayingRule):
    """v = momentum * v + rate * g;  w -= v."""

    def update(self, k: int, w: Array, g: Array, rate: float, iteration: int, decay: float = 0.0) -> None:
        """One step; ``history[k]`` is v."""
        K.sgd_update(w, g, self.history[k], rate, self.p.momentum, decay)


@rule("Nesterov")
class Nesterov(DecayingRule):
    """v' = momentum * v + rate * g;  w -= (1 + momentum) * v' - momentum * v."""

    def update(self, k: int, w: Array, g: Array, rate: float, iteration: int, decay: float = 0.0) -> None:
        """One step; ``history[k]`` is v."""
        K.nesterov_update(w, g, self.history[k], rate, self.p.momentum, decay)
