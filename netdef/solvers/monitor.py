"""The monitor: one output that plateau, early_stop and snapshot_best look at, and what they remember of it."""
from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netdef.config.located import Located
from netdef.errors import FieldError, did_you_mean
from netdef.layers.constraints import not_negative
from netdef.runtime.net import Net
from netdef.solvers.evaluate import output_weights
from netdef.solvers.events import Output
from netdef.solvers.settings import check_range, field_error

AUTO, MIN = 0, 1  # SolverParameter.MonitorMode
TRAIN = "train"
USERS = ("early_stop", "snapshot_best")
_SMALLER_IS_BETTER = ("loss", "error", "perplexity")


@dataclass
class Monitor:
    """``net`` is the number of a test net, None for the train net; ``losses`` the train net's last ones.

    ``best`` is the best value so far, ``waited`` the checks since then without a better one, ``waited_here`` those
    since the rate was lowered last.
    """

    name: str
    net: int | None
    less: bool
    threshold: float
    losses: deque[float] = field(default_factory=deque)
    best: float | None = None
    waited: int = 0
    waited_here: int = 0

    def value(self, outputs: Sequence[Output]) -> float:
        """The monitor's value among the outputs of its net; "train:loss" is the mean of ``losses``."""
        if self.net is None and self.name == "loss":
            return sum(self.losses) / len(self.losses) if self.losses else math.nan
        own = [output.value for output in outputs if output.name == self.name]
        return sum(own) / len(own) if own else math.nan

    def check(self, value: float) -> bool:
        """Note a value; whether it is better than the best one before, by the threshold at least. NaN never is."""
        if self.is_better(value):
            self.best, self.waited, self.waited_here = value, 0, 0
            return True
        self.waited += 1
        self.waited_here += 1
        return False

    def is_better(self, value: float) -> bool:
        """Whether a value would be a new best one."""
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        step = self.threshold * abs(self.best)
        return value < self.best - step if self.less else value > self.best + step

    def state(self) -> dict[str, Any]:
        """What a snapshot keeps."""
        return {"losses": list(self.losses), "best": self.best, "waited": self.waited, "waited_here": self.waited_here}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go back to a ``state()``."""
        self.losses = deque(state["losses"])
        self.best, self.waited, self.waited_here = state["best"], state["waited"], state["waited_here"]


def find_monitor(solver: Located, train: Net, tests: Sequence[Net]) -> Monitor | None:
    """The monitor of a solver, None where it has none.

    Raises FieldError where something needs one, or where it names no output of the nets.
    """
    m = solver.message
    for name in ("monitor_threshold", "early_stop", "snapshot_best", "snapshot_keep"):
        check_range(solver, name, not_negative())
    if not m.monitor:
        for user in USERS:
            if getattr(m, user):
                raise FieldError(f"solver: monitor: missing; {user} needs it", where=solver.span_of(user),
                                 hint=_known(train, tests))
        return None
    net, name = _place(solver, m.monitor, train, tests)
    if net is None and not m.display:
        raise field_error(solver, "monitor", f"'{m.monitor}' is looked at where display logs, and display is 0")
    weight = output_weights(train if net is None else tests[net]).get(name, 1.0 if name == "loss" else 0.0)
    smaller = weight != 0 or any(word in name.lower() for word in _SMALLER_IS_BETTER)
    less = smaller if m.monitor_mode == AUTO else m.monitor_mode == MIN
    return Monitor(name, net, less, m.monitor_threshold)


def _place(solver: Located, text: str, train: Net, tests: Sequence[Net]) -> tuple[int | None, str]:
    """The net (None: the train net) and the output that a monitor's text names."""
    before, colon, name = text.partition(":")
    if colon and before == TRAIN and name in ("loss", *train.outputs):
        return None, name
    if colon and before.isdecimal() and int(before) < len(tests) and name in tests[int(before)].outputs:
        return int(before), name
    for i, net in enumerate(tests):
        if text in net.outputs:
            return i, text
    names = _names(train, tests)
    raise field_error(solver, "monitor", f"no output '{text}'", did_you_mean(text, names) or _known(train, tests))


def _names(train: Net, tests: Sequence[Net]) -> list[str]:
    found = [name for net in tests for name in net.outputs]
    found += [f"{i}:{name}" for i, net in enumerate(tests) for name in net.outputs if len(tests) > 1]
    return list(dict.fromkeys([*found, *(f"{TRAIN}:{name}" for name in ["loss", *train.outputs])]))


def _known(train: Net, tests: Sequence[Net]) -> str:
    return f"one of {', '.join(_names(train, tests))}"
