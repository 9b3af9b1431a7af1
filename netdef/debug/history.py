"""History: what the looks at a run have seen, iteration by iteration, and whether params ran away in it."""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from netdef.debug.look import LayerLook, Look, ParamLook

GROWTH = 10.0  # a param this many times as large as at the start has run away
LEAP = 0.5  # an update of this share of the param's size is no small step


class Runaway(NamedTuple):
    """The param that grew most: its id, its root mean square at the start and now, and the largest relative update."""

    param: int
    first: float
    last: float
    leap: float


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
        """The param that ran away most clearly, or None; ``now`` are their sizes at present."""
        found = [r for param, size in now.items() if (r := self._runaway(param, size)) is not None]
        return max(found, key=_severity) if found else None

    def _runaway(self, param: int, size: float) -> Runaway | None:
        looks = self.series(param)
        moved = [p for p in looks if p.change != 0]
        if not moved:
            return None
        # a bias begins at 0: it is measured from where its first update took it
        first = looks[0].value or moved[0].change
        last = size if math.isfinite(size) else max((p.value for p in looks if math.isfinite(p.value)), default=size)
        leap = max((p.ratio for p in moved if math.isfinite(p.ratio)), default=0.0)
        grown = first > 0 and last / first >= GROWTH and not math.isinf(last / first)
        # growing from next to nothing is no running away
        if (grown and last > 1) or leap >= LEAP or any(not math.isfinite(p.change) for p in moved):
            return Runaway(param, first, last, leap)
        return None


def _severity(r: Runaway) -> float:
    return max(r.last / r.first if r.first else 0.0, r.leap)
