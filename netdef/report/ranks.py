"""Which row of a layered drawing each node stands in, and in which order: ranks, lanes of long edges, crossings.

Positions of everything in a row are indices from 0; nodes are numbers, those from ``n`` up are points of long edges.
"""
from __future__ import annotations

from collections.abc import Sequence

SWEEPS = 12  # of the crossing reduction; it ends earlier where four in a row bring nothing


class Rows:
    """Nodes and the points of long edges in rows, and who is joined to whom in the row above and below.

    Edges are (from, to, port); long edges from the same port of a node share their points as far as they go together.
    ``chains`` has the numbers along each edge, both ends included; ``count`` is the number of real nodes.
    """

    def __init__(self, count: int, edges: Sequence[tuple[int, int, int]]) -> None:
        self.count = count
        self.rank = ranks(count, [(a, b) for a, b, _ in edges])
        self.chains: list[list[int]] = []
        lanes: dict[tuple[int, int], list[int]] = {}
        for a, b, port in edges:
            lane = lanes.setdefault((a, port), [])
            for rank in range(self.rank[a] + 1 + len(lane), self.rank[b]):
                lane.append(len(self.rank))
                self.rank.append(rank)
            self.chains.append([a, *lane[: self.rank[b] - self.rank[a] - 1], b])
        self.up: list[list[int]] = [[] for _ in self.rank]
        self.down: list[list[int]] = [[] for _ in self.rank]
        for a, b in dict.fromkeys((a, b) for chain in self.chains for a, b in zip(chain, chain[1:], strict=False)):
            self.down[a].append(b)
            self.up[b].append(a)
        self.rows = self._first_order()
        self._reduce_crossings()

    def is_point(self, v: int) -> bool:
        """Whether a number stands for a point of a long edge."""
        return v >= self.count

    def _first_order(self) -> list[list[int]]:
        """Depth first from the sources, so that what belongs together stands together."""
        rows: list[list[int]] = [[] for _ in range(max(self.rank, default=-1) + 1)]
        seen = [False] * len(self.rank)
        for start in range(self.count):
            stack = [start]
            while stack:
                v = stack.pop()
                if not seen[v]:
                    seen[v] = True
                    rows[self.rank[v]].append(v)
                    stack += reversed(self.down[v])
        return rows

    def _reduce_crossings(self) -> None:
        """Sort each row by the medians of its neighbours, downwards and upwards in turns; the best order stays."""
        best, fewest, idle = [list(row) for row in self.rows], self.crossings(), 0
        for sweep in range(SWEEPS):
            if fewest == 0 or idle == 4:
                break
            self._sweep(downwards=sweep % 2 == 0)
            found = self.crossings()
            idle += 1
            if found < fewest:
                best, fewest, idle = [list(row) for row in self.rows], found, 0
        self.rows = best

    def _sweep(self, downwards: bool) -> None:
        near = self.up if downwards else self.down
        rows = self.rows if downwards else self.rows[::-1]
        for fixed, row in zip(rows, rows[1:], strict=False):
            at = {v: i for i, v in enumerate(fixed)}
            key = {v: _median(sorted(at[w] for w in near[v])) for v in row}
            moved = iter(sorted((v for v in row if near[v]), key=lambda v: key[v]))
            row[:] = [next(moved) if near[v] else v for v in row]

    def crossings(self) -> int:
        """How many pairs of edges cross, over all rows."""
        return sum(self._between(a, b) for a, b in zip(self.rows, self.rows[1:], strict=False))

    def _between(self, upper: Sequence[int], lower: Sequence[int]) -> int:
        """Inversions of the edges' lower ends in the order of their upper ones, by a tree of counts."""
        at = {v: i for i, v in enumerate(lower)}
        tree, total, seen = [0] * (len(lower) + 1), 0, 0
        for v in upper:
            ends = sorted(at[w] for w in self.down[v])
            for end in ends:
                i, before = end + 1, 0
                while i > 0:
                    before, i = before + tree[i], i & (i - 1)
                total += seen - before
            for end in ends:
                seen, i = seen + 1, end + 1
                while i <= len(lower):
                    tree[i] += 1
                    i += i & -i
        return total


def ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The row of each of ``count`` nodes: the longest path from a source; what has more edges going out than coming in
    (sources above all) moves down to those that it feeds. Raises ValueError where the edges go in a circle."""
    down: list[list[int]] = [[] for _ in range(count)]
    up: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        down[a].append(b)
        up[b].append(a)
    waiting, rank = [len(x) for x in up], [0] * count
    order = [v for v in range(count) if not waiting[v]]
    for v in order:  # grows while it is walked
        for w in down[v]:
            rank[w] = max(rank[w], rank[v] + 1)
            waiting[w] -= 1
            if not waiting[w]:
                order.append(w)
    if len(order) < count:
        raise ValueError("expected edges that go in no circle")
    for v in reversed(order):
        if len(down[v]) > len(up[v]):
            rank[v] = min(rank[w] for w in down[v]) - 1
    return rank


def _median(places: Sequence[int]) -> float:
    """The middle of sorted places; of two middles, the one on the denser side counts more."""
    n = len(places)
    if n == 0:
        return -1.0
    if n % 2 or n == 2:
        return (places[(n - 1) // 2] + places[n // 2]) / 2
    left, right = places[n // 2 - 1] - places[0], places[-1] - places[n // 2]
    if left + right == 0:
        return float(places[n // 2])
    return (places[n // 2 - 1] * right + places[n // 2] * left) / (left + right)
