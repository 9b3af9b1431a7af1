"""History: what the looks at a run have seen, iteration by iteration, and whether params ran away in it."""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from netdef.debug.look import LayerLook, Look, ParamLook

GROWTH = 10.0  # a param this many times as large as at the start has run away
LEAP = 0.5  # an update of this share of the param's size is no small step


class Runaway(NamedTuple):
    """A param that ran away: its id, its root mean square at the start and now, the largest relative update, and the
    number of the look at which it was first seen to run; ``from_zero``: it began at 0, as biases do."""

    param: int
    first: float
    last: float
    leap: float
    since: int
    from_zero: bool


@dataclass
class History:
    """Losses and looks of the iterations seen, in order."""

    iterations: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    layers: list[list[LayerLook]] = field(default_factory=list)
    params: list[dict[int, ParamLook]] = field(default_factory=list)

    def add(self, iteration: int, loss: float, look: Look) -> None:
        """Keep what a look has measured (the look goes on with new objects at its next ``begin``)."""
        self.iterations.append(iteration)
        self.losses.append(loss)
        self.layers.append(look.layers)
        self.params.append(look.params)

    def series(self, param: int) -> list[ParamLook]:
        """All looks at one param."""
        return [p[param] for p in self.params if param in p]

    def gradients(self, param: int) -> list[float]:
        """Root mean square gradients of one param."""
        return [p.gradient for p in self.series(param)]

    def runaway(self, now: dict[int, float]) -> Runaway | None:
        """The param that ran away first, or None (the others follow it); ``now`` are their sizes at present."""
        found = [r for param, size in now.items() if (r := self._runaway(param, size)) is not None]
        return min(found, key=lambda r: (r.from_zero, r.since, -r.leap)) if found else None

    def _runaway(self, param: int, size: float) -> Runaway | None:
        looks = self.series(param)
        moved = [p for p in looks if p.change != 0]
        if not moved:
            return None
        # what begins at 0, as biases do, cannot be measured by its start: it has run away when it is large in itself
        from_zero = looks[0].value == 0
        first = moved[0].change if from_zero else looks[0].value
        last = size if math.isfinite(size) else max((p.value for p in looks if math.isfinite(p.value)), default=size)
        leap = max((p.ratio for p in moved if math.isfinite(p.ratio)), default=0.0)
        grown = math.isfinite(last / first) and last / first >= GROWTH and last > (10 if from_zero else 1)
        leapt = leap >= LEAP and not from_zero
        if grown or leapt or any(not math.isfinite(p.change) for p in moved):
            since = next((i for i, p in enumerate(looks) if not math.isfinite(p.change)
                          or (not from_zero and p.ratio >= LEAP) or p.value >= GROWTH * first), len(looks))
            return Runaway(param, first, last, leap, since, from_zero)
        return None
