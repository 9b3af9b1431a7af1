"""lifetimes: pieces -> Layout. Which array lies where in one block of memory, from step to step.

Time counts layers: 0 .. n-1 forward, n .. 2n-1 backward (layer i at 2n-1-i), and 2n is the end of the pass. A fused step
runs when its first layer would; but backward its ReLU comes in the ReLU's own time. An array is busy from the step that
writes it to the last one that reads it; scratch only while its own step runs. Arrays that are never busy at the same time
may lie in the same place. What is kept (``fusions.kept_names``) and what users write into lies elsewhere.
"""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from netdef.graph.fusions import Piece, Use, kept_names
from netdef.graph.model import GraphPlan, Step
from netdef.layers.base import Array, Inferred, Shape

ALIGN = 64  # bytes; as many lie free behind each array, for kernels that read whole vectors
Key = tuple[str, int, int | str]


@dataclass(frozen=True)
class Tenant:
    """One array in the block.

    ``key`` is ("data", value, 0), ("diff", value, 0), ("edge", layer, bottom), ("workspace", layer, name) or ("scratch",
    layer, name), where value is the first version of a blob. ``busy`` are one or two spans of time, both ends included.
    """

    key: Key
    name: str
    nbytes: int
    busy: tuple[tuple[int, int], ...]
    offset: int = 0


@dataclass(frozen=True)
class Layout:
    """Where everything lies: ``size`` bytes in all; ``unshared`` bytes would be taken if only scratch were shared.

    ``summed``: values whose gradient lies where that of their first use lies, so that only the others are added.
    ``kept``: bytes of what lies outside the block.
    """

    pieces: tuple[Piece, ...]
    tenants: tuple[Tenant, ...]
    size: int
    unshared: int
    kept: int
    summed: frozenset[int]


def root_of(plan: GraphPlan, value: int) -> int:
    """The first version of a value's blob."""
    values = plan.description.values
    while (before := values[value].replaces) is not None:
        value = before
    return value


def settled(plan: GraphPlan) -> bool:
    """Whether all shapes are known before a pass, but for those of outputs: dynamic layers' tops that nobody reads."""
    d = plan.description
    return not any(node.layer is not None and node.layer.dynamic and any(d.values[top].readers for top in node.tops)
                   for node in d.layers)


def layout(plan: GraphPlan, pieces: Sequence[Piece], use: Use, itemsize: int = 4, values: Sequence[Shape] | None = None,
           inferred: Sequence[Inferred] | None = None) -> Layout:
    """The layout of a net for one use; ``values`` and ``inferred`` replace the plan's own shapes, by value and by layer."""
    work = _Layouter(plan, tuple(pieces), use, itemsize, values, inferred)
    tenants = list(work.tenants())
    placed, size = place(tenants)
    own = sum(t.nbytes for t in tenants if t.key[0] != "scratch")
    lent = [sum(t.nbytes for t in tenants if t.key[:2] == ("scratch", i)) for i in range(len(plan.steps))]
    return Layout(tuple(pieces), placed, size, own + max(lent, default=0), work.kept_bytes(), frozenset(work.summed))


class _Layouter:
    """Finds who is busy when."""

    def __init__(self, plan: GraphPlan, pieces: tuple[Piece, ...], use: Use, itemsize: int,
                 values: Sequence[Shape] | None, inferred: Sequence[Inferred] | None) -> None:
        self.plan, self.pieces, self.use, self.itemsize = plan, pieces, use, itemsize
        self.shapes = [tuple(s or ()) for s in (values if values is not None else plan.shapes.values)]
        self.inferred = inferred if inferred is not None else [s.inferred for s in plan.steps]
        self.piece_of = {layer: piece for piece in pieces for layer in piece.layers}
        self.end = 2 * len(plan.steps)
        self.roots = [root_of(plan, v.id) for v in plan.description.values]
        kept = kept_names(plan, use)
        self.kept = {self.roots[v.id] for v in plan.description.values if v.automatic or v.blob in kept}
        self.replaced = {v.replaces for v in plan.description.values}
        self.inside = self._inside()
        self.summed: set[int] = set()

    def _inside(self) -> set[int]:
        """Roots that only exist between the layers of one step: nobody writes them."""
        found = set()
        for piece in self.pieces:
            last = self.roots[self.plan.steps[piece.layers[-1]].node.tops[0]] if len(piece.layers) > 1 else None
            for layer in piece.layers[:-1]:
                root = self.roots[self.plan.steps[layer].node.tops[0]]
                if root != last:
                    found.add(root)
        return found

    def first(self, layer: int) -> int:
        """The first layer of the step that a layer is in."""
        return self.piece_of[layer].layers[0]

    def down(self, layer: int) -> int:
        """When a layer runs forward."""
        return self.first(layer)

    def up(self, layer: int) -> int:
        """When a layer runs backward."""
        first = self.first(layer)
        head = self.plan.steps[first].node.layer
        alone = self.piece_of[layer].kind == "activation" and head is not None and head.activates != "both"
        return self.end - 1 - (layer if alone else first)

    def runs_back(self, step: Step) -> bool:
        """Whether a layer's backward may run."""
        return self.use.backward and step.backward

    def tenants(self) -> Iterator[Tenant]:
        """All arrays, without places."""
        yield from self._data()
        if self.use.backward:
            yield from self._gradients()
        for piece in self.pieces:
            yield from self._own(piece)

    def _data(self) -> Iterator[Tenant]:
        times: dict[int, list[int]] = {}
        for value in self.plan.description.values:
            times.setdefault(self.roots[value.id], []).extend(
                [self.down(value.maker), *(self.down(layer) for layer, _ in value.readers)])
        for piece in self.pieces:
            for root, time in self._read_again(piece):
                times[root].append(time)
        for root, found in times.items():
            if root not in self.kept and root not in self.inside:
                yield self._tenant(("data", root, 0), self.shapes[root], ((min(found), max(found)),))

    def _read_again(self, piece: Piece) -> Iterator[tuple[int, int]]:
        """The data that a step's backward looks at."""
        for layer in piece.layers:
            step = self.plan.steps[layer]
            if not self.runs_back(step) or step.node.layer is None:
                continue
            reads, first, last = step.node.layer.backward_reads, piece.layers[0], piece.layers[-1]
            if "bottoms" in reads and layer == first:  # what lies between, a fused step does not need
                yield from ((self.roots[b], self.up(layer)) for b in step.node.bottoms if b is not None)
            if reads & {"tops", "top signs"} and layer == last:
                yield from ((self.roots[t], self.up(layer)) for t in step.node.tops)

    def _gradients(self) -> Iterator[Tenant]:
        plan, times = self.plan, {}  # type: ignore[var-annotated]
        for value in plan.description.values:
            root, maker = self.roots[value.id], plan.steps[value.maker]
            if root in self.inside:
                continue
            gathered = self.up(value.maker) if maker.backward else self.end
            found = times.setdefault(root, [])
            if maker.backward:  # of a fused step, until the first layer has read it
                found += [gathered, self.up(self.first(value.maker))]
            edges = plan.sums.get(value.id)
            if edges is None:
                found += [self.up(layer) for layer, b in value.readers if plan.steps[layer].backward
                          and plan.steps[layer].need.bottoms[b]]
            elif value.id in plan.with_gradient:
                found.append(gathered)
                shared = (len(edges) > 0 and root not in self.kept and value.id not in self.replaced
                          and value.id not in plan.losses)
                if shared:
                    self.summed.add(value.id)
                    found.append(self.up(edges[0][0]))
                for layer, b in edges[shared:]:
                    yield self._tenant(("edge", layer, b), self.shapes[value.id], ((self.up(layer), gathered),))
        for root, found in times.items():
            if found and root not in self.kept:
                yield self._tenant(("diff", root, 0), self.shapes[root], ((min(found), max(found)),))

    def _own(self, piece: Piece) -> Iterator[Tenant]:
        """Workspace and scratch of the layer that a step begins with; the others run inside it."""
        first = piece.layers[0]
        step, inferred = self.plan.steps[first], self.inferred[first]
        down, up = self.down(first), self.up(first)
        back = any(self.runs_back(self.plan.steps[layer]) for layer in piece.layers)
        for name, array in inferred.workspace.items():
            yield self._tenant(("workspace", first, name), array, ((down, up if back else down),), f"{step.node.name}.{name}")
        for name, array in inferred.scratch.items():
            busy = ((down, down), (up, up)) if back else ((down, down),)
            yield self._tenant(("scratch", first, name), array, busy, f"{step.node.name}.{name}")

    def _tenant(self, key: Key, what: Shape | Array, busy: tuple[tuple[int, int], ...], name: str = "") -> Tenant:
        size = self.itemsize
        if isinstance(what, Array):
            size = size if what.dtype == "real" else np.dtype(what.dtype).itemsize
            what = what.shape
        if not name:
            d = self.plan.description
            value = key[1] if key[0] != "edge" else d.layers[key[1]].bottoms[int(key[2])]
            name = d.value_name(int(value or 0)) + (f" -> {d.layers[key[1]].name}" if key[0] == "edge" else "")
        return Tenant(key, name, math.prod(what) * size, busy)

    def kept_bytes(self) -> int:
        """Bytes of what lies outside: data, and gradients where there are some."""
        total = 0
        for value in self.plan.description.values:
            if self.roots[value.id] != value.id or value.id not in self.kept:
                continue
            gets = self.use.backward and any(v.id in self.plan.with_gradient for v in self.plan.description.values
                                             if self.roots[v.id] == value.id)
            total += math.prod(self.shapes[value.id]) * self.itemsize * (1 + gets)
        return total


def place(tenants: Sequence[Tenant]) -> tuple[tuple[Tenant, ...], int]:
    """Give each array the lowest place that is free while it is busy; also the bytes needed in all.

    No order is best for every net, so three are tried: the largest first, those that take most room for most time first, and
    those that are busy longest first. The first of the smallest results is taken.
    """
    sizes = [-(-t.nbytes // ALIGN) * ALIGN + ALIGN for t in tenants]
    lengths = [sum(end - begin + 1 for begin, end in t.busy) for t in tenants]
    orders = [sorted(range(len(tenants)), key=lambda i: (key(i), tenants[i].busy, tenants[i].key)) for key in (
        lambda i: -sizes[i], lambda i: -sizes[i] * lengths[i], lambda i: (-lengths[i], -sizes[i]))]
    offsets, size = min((_placed(tenants, sizes, order) for order in orders), key=lambda found: found[1])
    return tuple(Tenant(t.key, t.name, t.nbytes, t.busy, int(o)) for t, o in zip(tenants, offsets, strict=True)), size


def _placed(tenants: Sequence[Tenant], sizes: Sequence[int], order: Sequence[int]) -> tuple[np.ndarray, int]:
    """The offsets, and the end of the last array, when they are placed in this order."""
    spans = np.array([[*t.busy[0], *t.busy[-1]] for t in tenants], np.int64).reshape(-1, 4)
    offsets = np.zeros(len(tenants), np.int64)
    done: list[int] = []
    total = 0
    for i in order:
        others, meet = spans[done], np.zeros(len(done), bool)
        for begin, end in (spans[i, :2], spans[i, 2:]):
            meet |= (others[:, 0] <= end) & (others[:, 1] >= begin)
            meet |= (others[:, 2] <= end) & (others[:, 3] >= begin)
        at = 0
        for j in sorted((done[k] for k in np.flatnonzero(meet)), key=lambda j: int(offsets[j])):
            if offsets[j] - at >= sizes[i]:
                break
            at = max(at, int(offsets[j]) + sizes[j])
        offsets[i] = at
        total = max(total, at + sizes[i])
        done.append(i)
    return offsets, total
