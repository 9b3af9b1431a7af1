"""What follows from looking at the monitor: a lower rate, an early stop, a snapshot of a best value."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from netdef.solvers import events as e
from netdef.solvers.keep import Keeper
from netdef.solvers.monitor import Monitor
from netdef.solvers.policies import Schedule

Tell = Callable[[e.Event], None]


class Observer:
    """Looks at the monitor for a solver. After a look ``enough`` says whether early_stop is reached, ``best`` whether
    snapshot_best wants a snapshot; ``value_at(iter)`` is the value seen at an iteration, None where there was no look.
    """

    def __init__(self, p: Any, monitor: Monitor, schedule: Schedule, keeper: Keeper, tell: Tell) -> None:
        self.p = p
        self.monitor = monitor
        self.schedule = schedule
        self.keeper = keeper
        self.tell = tell
        self.enough = False
        self.best = False
        self._seen: tuple[int, float] | None = None

    def value_at(self, iteration: int) -> float | None:
        """What the last look saw, if it was at this iteration."""
        return self._seen[1] if self._seen is not None and self._seen[0] == iteration else None

    def look(self, outputs: Sequence[e.Output], iteration: int) -> None:
        """Take in the monitor's value among the outputs of its net."""
        monitor, value = self.monitor, self.monitor.value(outputs)
        self._seen = (iteration, value)
        monitor.check(value)
        best = value if monitor.best is None else monitor.best
        self.tell(e.Monitored(iteration, monitor.name, value, best, monitor.waited))
        self.best = self.keeper.wants(value) and not self.keeper.has(iteration)
        self.keeper.note(iteration, value)
        if self.schedule.waits_for_plateaus and monitor.waited_here >= self.p.plateau_patience:
            monitor.waited_here = 0
            self.schedule.lowered += 1
            self.tell(e.RateLowered(iteration, self.schedule.rate(self.p, iteration)))
        self.enough = bool(self.p.early_stop and monitor.waited >= self.p.early_stop)
        if self.enough:
            self.tell(e.StoppedEarly(iteration, monitor.name, best, monitor.waited))
