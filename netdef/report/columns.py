"""Where along its row everything in a layered drawing stands, so that chains and long edges run straight.

Nodes that should stand in one line are joined to blocks: the points of a long edge, and chains without forks. Blocks begin
packed to one side, then move, alone or pushing others, wherever that makes the edges between blocks go less far sideways.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from netdef.report.ranks import Rows

Distance = Callable[[int, int], float]
BETWEEN, BESIDE = 1.0, 0.1  # weight of an edge between two boxes, and of one that begins or ends a long edge
ROUNDS = 40
_NEAR = 1e-6


def columns(rows: Rows, distance: Distance, spread: frozenset[int] = frozenset()) -> list[float]:
    """The centre of every node and point; neighbours u, v in a row (u left of v) are ``distance(u, v)`` apart or more.

    ``spread``: nodes whose edges leave from several places, so that nobody stands in one line with them.
    """
    block = _blocks(rows, spread)
    moving = _Moving(rows, block, distance)
    moving.settle()
    return [moving.x[b] for b in block]


def _blocks(rows: Rows, spread: frozenset[int]) -> list[int]:
    """The block of each node, by the number of its first node. Joined edges never cross, so blocks have an order."""
    root = list(range(len(rows.rank)))
    for upper, lower in zip(rows.rows, rows.rows[1:], strict=False):
        at = {v: i for i, v in enumerate(lower)}
        wanted = sorted((-_straight(rows, u, v, spread), i, at[v]) for i, u in enumerate(upper) for v in rows.down[u])
        joined: list[tuple[int, int]] = []
        for importance, i, j in wanted:
            if importance < 0 and all((i < a and j < b) or (i > a and j > b) for a, b in joined):
                joined.append((i, j))
        for i, j in joined:
            root[lower[j]] = root[upper[i]]
    return root


def _straight(rows: Rows, u: int, v: int, spread: frozenset[int]) -> int:
    """How much it matters that u stands right above v: 0 (not at all) to 3 (two points of a long edge)."""
    ends = rows.is_point(u) + rows.is_point(v)
    if ends == 2:
        return 3
    alone = len(rows.down[u]) == 1 and len(rows.up[v]) == 1 and u not in spread
    return (2 - ends) if alone else 0


class _Moving:
    """Blocks with their places, the distances they keep and the edges that pull at them."""

    def __init__(self, rows: Rows, block: Sequence[int], distance: Distance) -> None:
        self.right: dict[int, dict[int, float]] = {b: {} for b in dict.fromkeys(block)}
        self.left: dict[int, dict[int, float]] = {b: {} for b in self.right}
        for row in rows.rows:
            for u, v in zip(row, row[1:], strict=False):
                gap = max(self.right[block[u]].get(block[v], 0.0), distance(u, v))
                self.right[block[u]][block[v]] = self.left[block[v]][block[u]] = gap
        self.pulls: dict[int, dict[int, float]] = {b: {} for b in self.right}
        for u, below in enumerate(rows.down):
            for v in below:
                a, b = block[u], block[v]
                if a != b:
                    weight = BESIDE if rows.is_point(u) or rows.is_point(v) else BETWEEN
                    self.pulls[a][b] = self.pulls[b][a] = self.pulls[a].get(b, 0.0) + weight
        order = _ordered(self.right, self.left)
        self.x = self._packed(order)

    def _packed(self, order: Sequence[int]) -> dict[int, float]:
        x = dict.fromkeys(order, 0.0)
        for a in order:
            x[a] = max((x[b] + gap for b, gap in self.left[a].items()), default=0.0)
        for a in reversed(order):  # what stands alone on its right comes near
            if self.right[a]:
                x[a] = max(x[a], min(x[b] - gap for b, gap in self.right[a].items()))
        return x

    def settle(self) -> None:
        """Move until nothing gains by it, then put what is free to stand anywhere between two places in the middle."""
        blocks = list(self.x)
        for _ in range(ROUNDS):
            moved = [self._push([b], way) for way in (1, -1) for b in blocks]
            moved += [self._push(line, way) for way in (1, -1) for line in self._lines()]
            if not any(moved):
                break
        for _ in range(ROUNDS // 4):
            if not any([self._centre(b) for b in blocks]):
                break

    def _lines(self) -> Iterator[list[int]]:
        """Blocks that stand in one line by edges between boxes: none of them may gain by a move that all would gain by."""
        seen: set[int] = set()
        for b in self.x:
            if b in seen:
                continue
            line = [b]
            seen.add(b)
            for a in line:  # grows while it is walked
                for other, weight in self.pulls[a].items():
                    if other not in seen and weight >= BETWEEN and abs(self.x[other] - self.x[a]) <= _NEAR:
                        seen.add(other)
                        line.append(other)
            if len(line) > 1:
                yield line

    def _push(self, start: Sequence[int], way: int) -> bool:
        """Move blocks to the right (way 1) or left (-1) with all that they run into, as long as edges get shorter."""
        moved = False
        while True:
            group = self._touching(start, way)
            gain, step = 0.0, float("inf")
            for b in group:
                for other, weight in self.pulls[b].items():
                    if other not in group:
                        far = (self.x[other] - self.x[b]) * way
                        gain += weight if far > _NEAR else -weight
                        step = min(step, far) if far > _NEAR else step
                for other, gap in self._ahead(b, way):
                    if other not in group:
                        step = min(step, (self.x[other] - self.x[b]) * way - gap)
            if gain <= _NEAR or step == float("inf"):
                return moved
            for b in group:
                self.x[b] += way * step
            moved = True

    def _ahead(self, b: int, way: int) -> Iterable[tuple[int, float]]:
        return (self.right if way > 0 else self.left)[b].items()

    def _touching(self, start: Sequence[int], way: int) -> dict[int, None]:
        """Blocks, those that stand right before them on their way, and so on (a dict, for its order is that of finding)."""
        group, waiting = dict.fromkeys(start), list(start)
        for b in waiting:  # grows while it is walked
            for other, gap in self._ahead(b, way):
                if other not in group and (self.x[other] - self.x[b]) * way - gap <= _NEAR:
                    group[other] = None
                    waiting.append(other)
        return group

    def _centre(self, b: int) -> bool:
        """The middle of the places that are equally good for a block, as far as its neighbours leave room."""
        ends = sorted((self.x[other], weight) for other, weight in self.pulls[b].items())
        half, before, low, high = sum(w for _, w in ends) / 2, 0.0, None, None
        for place, weight in ends:
            before += weight
            if low is None and before >= half - _NEAR:
                low = place
            if before > half + _NEAR:
                high = place
                break
        if low is None or high is None:
            return False
        least = max((self.x[o] + gap for o, gap in self.left[b].items()), default=low)
        most = min((self.x[o] - gap for o, gap in self.right[b].items()), default=high)
        if most < least:  # by rounding only
            return False
        new = min(max((max(low, least) + min(high, most)) / 2, least), most)
        moved = abs(new - self.x[b]) > 0.01
        self.x[b] = new
        return moved


def _ordered(right: dict[int, dict[int, float]], left: dict[int, dict[int, float]]) -> list[int]:
    """Blocks so that each comes behind all on its left."""
    waiting = {b: len(left[b]) for b in left}
    order = [b for b in waiting if not waiting[b]]
    for a in order:  # grows while it is walked
        for b in right[a]:
            waiting[b] -= 1
            if not waiting[b]:
                order.append(b)
    return order
