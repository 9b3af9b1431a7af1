"""why: by which paths a gradient reaches a blob or a param, and on which paths it is stopped, with reason and line.

Paths are grouped: those on which it arrives by loss and by the edge they take at the first fork, those on which it is
stopped by the stop that is nearest to what is asked about. Each group has a count and its shortest path.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netdef.graph.assumed import Assumed, unsure
from netdef.graph.model import Dropped, GraphPlan, LayerNode, Reason
from netdef.graph.paths import Graph, Hop, Path, Reach, Ways
from netdef.graph.target import Target, is_asked, param_name


@dataclass(frozen=True)
class Way:
    """Some paths to one loss that begin with the same edge: how many, and the shortest."""

    by: Hop | None  # None: what is asked about is itself the loss
    paths: int
    unsure: int  # how many of them lead through Python code, which alone knows what its backward does
    shortest: Path


@dataclass(frozen=True)
class Arrival:
    """One loss whose gradient arrives, by one way or several."""

    loss: int
    weight: float
    ways: tuple[Way, ...]

    @property
    def paths(self) -> int:
        """How many paths in all."""
        return sum(w.paths for w in self.ways)

    @property
    def sure(self) -> bool:
        """Whether there is a path that leads through no such code."""
        return any(w.paths > w.unsure for w in self.ways)


@dataclass(frozen=True)
class Stop:
    """The first place above the target that lets nothing down: the layer and bottom (None: a loss that gives none), why,
    the losses behind it, and the stops between them and it (``above``)."""

    layer: LayerNode | Dropped
    bottom: int | None
    reason: Reason
    losses: tuple[int, ...]
    paths: int
    shortest: Path
    above: tuple[tuple[Hop, Reason], ...] = ()


@dataclass(frozen=True)
class Sum:
    """A value on the way where gradients are added up: by which hops they come (None: its own loss weight)."""

    value: int
    parts: tuple[Hop | None, ...]
    nothing: tuple[Hop, ...]


@dataclass(frozen=True)
class Why:
    """The whole answer. ``asked``: whether anything makes the net compute what could arrive; if not, ``unasked`` says
    why nothing at or below the target learns."""

    plan: GraphPlan
    target: Target
    asked: bool
    unasked: tuple[str, ...]
    arrivals: tuple[Arrival, ...]
    stops: tuple[Stop, ...]
    ends: tuple[LayerNode, ...]
    sums: tuple[Sum, ...]
    assumed: tuple[LayerNode, ...]


def why(plan: GraphPlan, target: Target) -> Why:
    """The answer for a target of ``plan`` (of ``build.survey``, where layers may be missing, or of ``build``)."""
    graph = Graph(plan)
    ways, sure = graph.ways(graph.is_open), graph.ways(graph.is_sure)
    above = graph.reach(target.values)
    asked = is_asked(plan, target)
    near = graph.reach(target.values, graph.is_open)
    stops = (*_stops(graph, near), *_no_losses(graph, near), *_left_out(graph, near))
    return Why(plan, target, asked, () if asked else tuple(_unasked(graph, target)),
               tuple(_arrivals(graph, target, ways, sure)), stops, tuple(_ends(graph, above)),
               tuple(_sums(graph, near, ways)), tuple(_assumed(graph, target, above)))


def _arrivals(graph: Graph, target: Target, ways: Ways, sure: Ways) -> Iterator[Arrival]:
    """By loss, then by the edges at the first fork (of each value, where there are several)."""
    plan = graph.plan
    for loss, weight in plan.losses.items():
        found = [w for value in target.values for w in _ways_of(graph, value, loss, ways, sure)]
        if found:
            yield Arrival(loss, weight, tuple(found))


def _ways_of(graph: Graph, value: int, loss: int, ways: Ways, sure: Ways) -> Iterator[Way]:
    if loss not in ways.counts[value]:
        return
    fork = graph.first_fork(value)
    trunk = graph.reach([value]).path(fork)
    if fork == loss:
        yield _way(None, 1, int(all(map(graph.is_sure, trunk))), trunk)
    for hop in graph.net.values[fork].readers:
        tops = graph.net.layers[hop[0]].tops
        n = ways.through(tops, loss) if graph.is_open(hop) else 0
        if n:
            certain = sure.through(tops, loss) if all(map(graph.is_sure, (*trunk, hop))) else 0
            yield _way(hop, n, certain, (*trunk, hop, *ways.path(ways.nearest(tops, loss), loss)))


def _way(by: Hop | None, paths: int, sure: int, shortest: Path) -> Way:
    return Way(by, paths, paths - sure, shortest)


def _stops(graph: Graph, near: Reach) -> Iterator[Stop]:
    """Stopped hops that nothing stops below, and by which, were they open, a loss could be reached."""
    every = graph.ways(lambda hop: True)
    for hop in sorted(graph.stops):
        node, value = graph.net.layers[hop[0]], graph.net.layers[hop[0]].bottoms[hop[1]]
        losses = [loss for loss in graph.plan.losses if every.through(node.tops, loss)]
        if value is None or value not in near.counts or not losses:
            continue
        paths = near.counts[value] * sum(every.through(node.tops, loss) for loss in losses)
        top, loss = min(((t, x) for t in node.tops for x in every.best[t]), key=lambda k: every.best[k[0]][k[1]][0])
        path = (*near.path(value), hop, *every.path(top, loss))
        yield Stop(node, hop[1], graph.stops[hop], tuple(losses), paths, path, tuple(_above(graph, node, every)))


def _above(graph: Graph, node: LayerNode, every: Ways) -> Iterator[tuple[Hop, Reason]]:
    """The stops between a layer and the losses, nearest first."""
    reached = graph.reach(node.tops)
    for hop, reason in sorted(graph.stops.items()):
        above = graph.net.layers[hop[0]]
        if above.bottoms[hop[1]] in reached.counts and any(every.counts[t] for t in above.tops):
            yield hop, reason


def _no_losses(graph: Graph, near: Reach) -> Iterator[Stop]:
    """Loss layers above whose every loss_weight is 0."""
    for node in graph.net.layers:
        tops = [t for t in node.tops if t in near.counts]
        if tops and node.layer is not None and node.layer.is_loss and not any(node.loss_weights):
            reason = Reason("its loss_weight is 0", node.located.span_of("loss_weight", 0))
            yield Stop(node, None, reason, (), near.counts[tops[0]], near.path(tops[0]))


def _left_out(graph: Graph, near: Reach) -> Iterator[Stop]:
    """Losses that the rules leave out, reached directly or by other layers that are left out."""
    names = {v.blob: v.id for v in graph.net.values}
    behind: dict[str, int] = {}  # a blob that only layers left out make -> the value that leads to it
    for dropped in graph.net.dropped:
        read = [behind.get(b, names.get(b)) for b in dropped.bottoms]
        value = next((v for v in read if v is not None and v in near.counts), None)
        if value is None:
            continue
        behind.update((top, value) for top in dropped.tops if top not in names)
        if dropped.is_loss:
            reason = Reason(f"left out in {graph.net.state}: {dropped.reason}", dropped.span)
            yield Stop(dropped, None, reason, (), near.counts[value], near.path(value))


def _ends(graph: Graph, above: Reach) -> Iterator[LayerNode]:
    """Layers above behind which nothing reads on and no loss stands."""
    for node in graph.net.layers:
        if not any(b in above.counts for b in node.bottoms):
            continue
        if any(t in graph.plan.losses or graph.net.values[t].readers for t in node.tops):
            continue
        if node.layer is None or not node.layer.is_loss:
            yield node


def _sums(graph: Graph, near: Reach, ways: Ways) -> Iterator[Sum]:
    """Values on open paths whose gradient has several parts, from the target upward."""
    for value in graph.net.values:
        if value.id not in near.counts:
            continue
        parts: list[Hop | None] = [None] if value.id in graph.plan.losses else []
        nothing = []
        for hop in value.readers:
            leads = any(ways.counts[t] for t in graph.net.layers[hop[0]].tops)
            if leads and graph.is_open(hop):
                parts.append(hop)
            elif hop in graph.stops and leads:
                nothing.append(hop)
        if len(parts) > 1:
            yield Sum(value.id, tuple(parts), tuple(nothing))


def _assumed(graph: Graph, target: Target, above: Reach) -> Iterator[LayerNode]:
    """Stand-ins and Python code that make the target, or that a path from it meets."""
    makers = {graph.net.values[v].maker for v in target.values}
    for node in graph.net.layers:
        doubtful = isinstance(node.layer, Assumed) or unsure(node.located.message)
        if doubtful and (node.index in makers or any(b in above.counts for b in node.bottoms)):
            yield node


def _unasked(graph: Graph, target: Target) -> Iterator[str]:
    """Why nothing at or below the target learns: frozen params, and hops that let nothing further down."""
    plan, net = graph.plan, graph.net
    if target.only_params:
        return
    seen, todo = set(target.values), sorted(target.values)
    while todo:
        node = net.layers[net.values[todo.pop()].maker]
        yield from (f"{param_name(plan, plan.params[i])}: {plan.params[i].reason}"
                    for i in plan.steps[node.index].params
                    if not plan.params[i].learns and plan.params[i] not in target.params)
        if not node.bottoms:
            yield f"{node.name} ({node.type}) has nothing below it [{node.located.span}]"
        for bottom, value in enumerate(node.bottoms):
            stop = graph.stops.get((node.index, bottom))
            if stop is not None:
                yield f"{node.name}, bottom {bottom}: {stop}"
            elif value is not None and value not in seen:
                seen.add(value)
                todo.append(value)
