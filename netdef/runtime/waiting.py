"""How much of a run is spent waiting for data."""
from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netdef.runtime.net import Net

SHOWN_FROM = 0.01
"""Share below which nobody needs to hear of it."""


def waited(net: Net) -> float:
    """Seconds that the passes of a net have waited for its data layers so far."""
    return sum(float(getattr(run.layer, "waited", 0.0)) for run in net.steps)


class Waiting:
    """The share of the time since its making that nets spent waiting for data."""

    def __init__(self, *nets: Net) -> None:
        self.nets = nets
        self.began = time.perf_counter()
        self.before = sum(map(waited, nets))

    def share(self) -> float:
        """From 0 to 1."""
        passed = time.perf_counter() - self.began
        return min(1.0, (sum(map(waited, self.nets)) - self.before) / passed) if passed > 0 else 0.0

    def text(self) -> str:
        """``waiting for data: 37%``, or nothing where it is less than one percent."""
        share = self.share()
        return f"waiting for data: {share:.0%}" if share >= SHOWN_FROM else ""
