"""Paths of gradients, counted and never listed: a net of 150 layers has more of them than could be printed.

A hop is (layer, bottom): a gradient goes by it from the layer's tops to the value it reads there. Values have their ids
in the order in which they are made, so one sweep from the last to the first counts the ways to every loss.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from netdef.graph.assumed import unsure
from netdef.graph.model import GraphPlan, Reason
from netdef.graph.stops import own_stop

Hop = tuple[int, int]
Path = tuple[Hop, ...]  # from the value upward: the last hop is the loss layer's


@dataclass
class Ways:
    """Of each value, by loss: how many paths lead there, and the first hop and the length of the shortest."""

    counts: list[dict[int, int]]
    best: list[dict[int, tuple[int, Hop | None, int]]]  # length, hop, the top behind it

    def path(self, value: int, loss: int) -> Path:
        """The shortest path from a value up to a loss (the first in file order, of several)."""
        hops: list[Hop] = []
        while True:
            _, hop, top = self.best[value][loss]
            if hop is None:
                return tuple(hops)
            hops.append(hop)
            value = top

    def through(self, tops: Iterable[int], loss: int) -> int:
        """How many paths lead to a loss from any of these values."""
        return sum(self.counts[t].get(loss, 0) for t in tops)

    def nearest(self, tops: Iterable[int], loss: int) -> int:
        """Which of these values has the shortest way to a loss."""
        return min((t for t in tops if loss in self.best[t]), key=lambda t: self.best[t][loss][0])


@dataclass
class Reach:
    """From the values asked about upward by any hop: how many paths lead to each value, and the shortest one's last."""

    counts: dict[int, int] = field(default_factory=dict)
    last: dict[int, tuple[int, Hop, int]] = field(default_factory=dict)  # length, hop, the value before it

    def path(self, value: int) -> Path:
        """The shortest path from where the search began up to a value."""
        hops: list[Hop] = []
        while value in self.last:
            _, hop, value = self.last[value]
            hops.append(hop)
        return tuple(reversed(hops))


class Graph:
    """A plan's hops: which are open, which stopped and why, and which lead through Python code."""

    def __init__(self, plan: GraphPlan) -> None:
        self.plan = plan
        self.net = plan.description
        self.stops: dict[Hop, Reason] = {}
        for node in self.net.layers:
            for bottom in range(len(node.bottoms)):
                stop = own_stop(node, bottom, self.net.force_backward)
                if stop is not None:
                    self.stops[node.index, bottom] = stop

    def is_open(self, hop: Hop) -> bool:
        """Whether a gradient can go down this hop, as far as anyone knows."""
        return hop not in self.stops

    def is_sure(self, hop: Hop) -> bool:
        """Open, and not by way of Python code, which alone knows what its backward does."""
        return self.is_open(hop) and not unsure(self.net.layers[hop[0]].located.message)

    def ways(self, allowed: Callable[[Hop], bool]) -> Ways:
        """Counts and shortest paths from every value to every loss, by allowed hops only."""
        counts: list[dict[int, int]] = [{} for _ in self.net.values]
        best: list[dict[int, tuple[int, Hop | None, int]]] = [{} for _ in self.net.values]
        for value in reversed(self.net.values):
            here, near = counts[value.id], best[value.id]
            if value.id in self.plan.losses:
                here[value.id], near[value.id] = 1, (0, None, value.id)
            for hop in value.readers:
                if not allowed(hop):
                    continue
                for top in self.net.layers[hop[0]].tops:
                    for loss, n in counts[top].items():
                        here[loss] = here.get(loss, 0) + n
                        length = best[top][loss][0] + 1
                        if loss not in near or length < near[loss][0]:
                            near[loss] = (length, hop, top)
        return Ways(counts, best)

    def reach(self, starts: Iterable[int], allowed: Callable[[Hop], bool] = lambda hop: True) -> Reach:
        """Everything above these values."""
        found = Reach(dict.fromkeys(starts, 1))
        for value in self.net.values:
            if value.id not in found.counts:
                continue
            length = found.last[value.id][0] + 1 if value.id in found.last else 1
            for hop in filter(allowed, value.readers):
                for top in self.net.layers[hop[0]].tops:
                    old = found.last.get(top)
                    if top not in found.counts or (old is not None and length < old[0]):
                        found.last[top] = (length, hop, value.id)
                    found.counts[top] = found.counts.get(top, 0) + found.counts[value.id]
        return found

    def first_fork(self, value: int) -> int:
        """Upward from a value to the first one that has several readers, is a loss, or whose reader has several tops."""
        while True:
            readers = self.net.values[value].readers
            if value in self.plan.losses or len(readers) != 1 or len(self.net.layers[readers[0][0]].tops) != 1:
                return value
            value = self.net.layers[readers[0][0]].tops[0]
