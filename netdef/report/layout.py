"""A layered drawing of a graph without circles: where boxes stand and how edges run, in units of a pixel.

Rows follow from the longest paths (``ranks.py``), places within a row from alignment (``columns.py``). An edge bends only
between two rows, where no box stands, so it runs through no box; long edges have lanes of their own.
"""
from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from netdef.report.columns import columns
from netdef.report.ranks import Rows

Point = tuple[float, float]
GAP, LANE, SPREAD = 26.0, 14.0, 14.0  # between boxes of a row, between lanes, between edges that end at one box
FLAT = 0.07  # how much the space between two rows grows with the longest way an edge goes sideways in it
HIGHEST = 70.0  # and the most that it grows


@dataclass(frozen=True)
class Node:
    """A box to be placed.

    ``tail``: free room behind the box, where its edges run straight and may have labels. ``ports``: where several things
    leave the box, the room across that each needs before and behind itself; empty for one, which leaves from the middle.
    """

    key: Hashable
    width: float
    height: float
    tail: float = 0.0
    ports: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Edge:
    """From the box ``source``, there from its port number ``port``, to the box ``target``."""

    source: Hashable
    target: Hashable
    port: int = 0


@dataclass(frozen=True)
class Layout:
    """``nodes``: the centre of each box; ``edges``: the points of each edge, as the edges were given; ``ports``: where each
    port of each box is, by (key, number); the whole is ``width`` x ``height`` with its corner at 0, 0.

    Between two points that differ across the direction of ranks an edge bends and is drawn as a curve (``curve``).
    """

    nodes: Mapping[Hashable, Point]
    edges: tuple[tuple[Point, ...], ...]
    ports: Mapping[tuple[Hashable, int], Point]
    width: float
    height: float
    rankdir: str = "tb"


def lay_out(nodes: Sequence[Node], edges: Sequence[Edge], rankdir: str = "tb", row_gap: float = 24.0,
            margin: float = 12.0) -> Layout:
    """Place boxes in rows from the top to the bottom ("tb") or from the left to the right ("lr"); the same input always
    gives the same drawing.

    ``row_gap`` is the least room between rows, ``margin`` that around the whole. Several edges between two boxes may be.
    Raises ValueError for edges that go in a circle, keys given twice, edges to keys that are no node.
    """
    if rankdir not in ("tb", "lr"):
        raise ValueError(f"expected rankdir 'tb' or 'lr', got '{rankdir}'")
    number = {n.key: i for i, n in enumerate(nodes)}
    if len(number) < len(nodes):
        raise ValueError("expected each key once")
    pairs = []
    for e in edges:
        for key in (e.source, e.target):
            if key not in number:
                raise ValueError(f"an edge names '{key}', which is no node")
        pairs.append((number[e.source], number[e.target], e.port))
    plan = _Plan(nodes, edges, pairs, rankdir == "lr", row_gap, margin)
    return plan.layout()


class _Plan:
    """One drawing from top to bottom; for one from left to right everything is turned at the end."""

    def __init__(self, nodes: Sequence[Node], edges: Sequence[Edge], pairs: Sequence[tuple[int, int, int]], turned: bool,
                 row_gap: float, margin: float) -> None:
        self.nodes, self.edges, self.turned, self.margin = nodes, edges, turned, margin
        self.rows = Rows(len(nodes), pairs)
        points = len(self.rows.rank) - len(nodes)
        self.across = [n.height if turned else n.width for n in nodes] + [0.0] * points
        self.along = [n.width if turned else n.height for n in nodes]
        self.across[: len(nodes)] = [max(a, sum(map(sum, n.ports))) for a, n in zip(self.across, nodes, strict=False)]
        self.x = columns(self.rows, self._distance, frozenset(v for v, n in enumerate(nodes) if len(n.ports) > 1))
        shift = margin - min((x - w / 2 for x, w in zip(self.x, self.across, strict=True)), default=0.0)
        self.x = [x + shift for x in self.x]
        self.out = self._out_ports()
        self.entry = self._in_ports()
        self.bands = self._bands(row_gap)

    def _distance(self, u: int, v: int) -> float:
        points = self.rows.is_point(u) + self.rows.is_point(v)
        return (self.across[u] + self.across[v]) / 2 + (GAP, (GAP + LANE) / 2, LANE)[points]

    def _out_ports(self) -> dict[tuple[int, int], float]:
        """The place of each port, those that lead to the left on the left."""
        leads: dict[tuple[int, int], list[float]] = {}
        for edge, chain in zip(self.edges, self.rows.chains, strict=True):
            leads.setdefault((chain[0], edge.port), []).append(self.x[chain[1]])
        places = {key: self.x[key[0]] for key in leads}
        for v, node in enumerate(self.nodes):
            room = node.ports or ((0.0, 0.0),)
            middle = {p: sum(leads[v, p]) / len(leads[v, p]) if (v, p) in leads else self.x[v] for p in range(len(room))}
            left = self.x[v] - sum(map(sum, room)) / 2
            for p in sorted(middle, key=lambda p: (middle[p], p)):
                places[v, p] = left + room[p][0]
                left += sum(room[p])
        return places

    def _in_ports(self) -> dict[int, float]:
        """Where each edge (by number) ends: straight below where it comes from as far as the box is wide enough."""
        ends: dict[int, list[int]] = {}
        for i, chain in enumerate(self.rows.chains):
            ends.setdefault(chain[-1], []).append(i)
        entry: dict[int, float] = {}
        for v, arriving in ends.items():
            room = max(0.0, self.across[v] - 16) if self.turned else self.across[v] * 0.8
            low, high = self.x[v] - room / 2, self.x[v] + room / 2
            arriving.sort(key=lambda i: (self._before_last(i), i))
            gap = min(SPREAD, room / max(1, len(arriving) - 1))
            wanted = [min(max(self._before_last(i), low), high) for i in arriving]
            entry |= dict(zip(arriving, _spread(wanted, gap, low, high), strict=True))
        return entry

    def _before_last(self, i: int) -> float:
        """Across, where edge number ``i`` is in the row before its end."""
        chain = self.rows.chains[i]
        return self.x[chain[-2]] if len(chain) > 2 else self.out[chain[0], self.edges[i].port]

    def _ways(self, i: int) -> list[float]:
        """Across, where edge number ``i`` is in each row that it passes."""
        chain = self.rows.chains[i]
        return [self.out[chain[0], self.edges[i].port], *(self.x[v] for v in chain[1:-1]), self.entry[i]]

    def _bands(self, row_gap: float) -> list[Point]:
        """Top and bottom of each row."""
        sideways = [0.0] * len(self.rows.rows)  # the longest way between a row and the next
        for i, chain in enumerate(self.rows.chains):
            ways = self._ways(i)
            for v, a, b in zip(chain, ways, ways[1:], strict=False):
                r = self.rows.rank[v]
                sideways[r] = max(sideways[r], abs(a - b))
        bands, top = [], self.margin
        for row, far in zip(self.rows.rows, sideways, strict=True):
            bottom = top + max((self.along[v] + self.nodes[v].tail for v in row if not self.rows.is_point(v)), default=0.0)
            bands.append((top, bottom))
            top = bottom + row_gap + min(HIGHEST, FLAT * far)
        return bands

    def _points(self, i: int) -> tuple[Point, ...]:
        chain, ways = self.rows.chains[i], self._ways(i)
        rank = self.rows.rank[chain[0]]
        points = [(ways[0], self.bands[rank][0] + self.along[chain[0]])]
        for k, (a, b) in enumerate(zip(ways, ways[1:], strict=False)):
            points += [(a, self.bands[rank + k][1]), (b, self.bands[rank + k + 1][0])]
        kept = points[:1]
        for before, point, behind in zip(points, points[1:], [*points[2:], None], strict=False):
            if behind is None or not before[0] == point[0] == behind[0]:
                kept.append(point)
        return tuple(kept)

    def layout(self) -> Layout:
        """The finished drawing, turned if it is one from left to right."""
        tops = [self.bands[self.rows.rank[v]][0] for v in range(len(self.nodes))]
        centres = {n.key: self._turn((self.x[v], tops[v] + self.along[v] / 2)) for v, n in enumerate(self.nodes)}
        ports = {(self.nodes[v].key, p): self._turn((x, tops[v] + self.along[v])) for (v, p), x in self.out.items()}
        lines = tuple(tuple(map(self._turn, self._points(i))) for i in range(len(self.edges)))
        right = max((x + w / 2 for x, w in zip(self.x, self.across, strict=True)), default=self.margin) + self.margin
        bottom = (self.bands[-1][1] if self.bands else self.margin) + self.margin
        width, height = self._turn((right, bottom))
        return Layout(centres, lines, ports, width, height, "lr" if self.turned else "tb")

    def _turn(self, point: Point) -> Point:
        return (point[1], point[0]) if self.turned else point


def _spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Sorted places moved apart to at least ``gap`` and as little as possible, from ``low`` to ``high``."""
    blocks: list[list[float]] = []  # of neighbours that touch: sum of (wanted - own offset), how many
    for i, w in enumerate(wanted):
        blocks.append([w - i * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, n = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += n
    free = [total / n for total, n in blocks for _ in range(int(n))]
    most = high - (len(wanted) - 1) * gap
    return [min(max(f, low), max(most, low)) + i * gap for i, f in enumerate(free)]


def curve(points: Sequence[Point], rankdir: str = "tb") -> str:
    """The path of an edge for SVG's ``d``: straight along the ranks, with a smooth bend wherever it goes sideways."""
    text = [f"M{_number(points[0][0])} {_number(points[0][1])}"]
    for (x, y), (x1, y1) in zip(points, points[1:], strict=False):
        end = f"{_number(x1)} {_number(y1)}"
        if x == x1 or y == y1:
            text.append(f"L{end}")
        elif rankdir == "tb":
            middle = _number((y + y1) / 2)
            text.append(f"C{_number(x)} {middle} {_number(x1)} {middle} {end}")
        else:
            middle = _number((x + x1) / 2)
            text.append(f"C{middle} {_number(y)} {middle} {_number(y1)} {end}")
    return "".join(text)


def _number(value: float) -> str:
    """One digit behind the point, and no point where it would be 0."""
    return f"{value:.1f}".removesuffix(".0")
