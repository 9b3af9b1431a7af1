"""plan: NetShapes -> GraphPlan. Decides where gradients flow, where they are added up, where they stop, and why."""
from __future__ import annotations

from netdef.errors import Collector, GraphError, warn
from netdef.graph.model import Edge, GraphPlan, LayerNode, NetShapes, Param, Reason, Step
from netdef.graph.params import collect_params
from netdef.graph.stops import own_stop
from netdef.graph.verify import verify
from netdef.layers.base import Inferred, Need


def plan(shapes: NetShapes, errors: Collector | None = None) -> GraphPlan:
    """The plan of a net whose shapes are known.

    Raises GraphError (ConfigErrors for several): conflicting shared params, a gradient forced where there is none,
    unsafe in-place layers.
    """
    collector = errors if errors is not None else Collector()
    params = collect_params(shapes, collector)
    losses = {top: w for node in shapes.description.layers for top, w in zip(node.tops, node.loss_weights, strict=True)
              if w != 0}
    flow = _Flow(shapes, params, losses, collector)
    steps = flow.steps()
    result = GraphPlan(shapes=shapes, steps=steps,
                       backward_order=tuple(i for i in reversed(range(len(steps))) if steps[i].backward),
                       params=params, sums=_sums(shapes, steps, losses), losses=losses, gradients=flow.gradients,
                       with_gradient=_with_gradient(steps, losses))
    verify(result, collector)
    if errors is None:
        collector.raise_all()
    return result


class _Flow:
    """The need-backward analysis: forward for what could get a gradient, backward for what reaches a loss."""

    def __init__(self, shapes: NetShapes, params: tuple[Param, ...], losses: dict[int, float],
                 errors: Collector) -> None:
        self.shapes = shapes
        self.net = shapes.description
        self.losses = losses
        self.errors = errors
        self.params_of: list[list[Param]] = [[] for _ in self.net.layers]
        for p in params:
            self.params_of[p.layer].append(p)
        self.gradients: dict[int, Reason] = {}
        self.wants: set[int] = set()  # values below which something learns
        self.edges: list[list[Edge]] = []
        self.runs: list[tuple[bool, Reason]] = []

    def steps(self) -> tuple[Step, ...]:
        for node in self.net.layers:
            self._upward(node)
        self._downward()
        if self.net.force_backward:
            self._force()
        return tuple(self._step(node) for node in self.net.layers)

    def _upward(self, node: LayerNode) -> None:
        """As each layer is added: which bottoms want a gradient, and hence which tops."""
        edges = [self._edge(node, i) for i in range(len(node.bottoms))]
        learning = [p for p in self.params_of[node.index] if p.learns]
        self.edges.append(edges)
        wanted = any(e.flows for e in edges) or bool(learning)
        self.runs.append((wanted, self._why_wanted(node, edges, learning)))
        for top in node.tops:
            self.gradients[top] = self.runs[-1][1]
            if wanted:
                self.wants.add(top)

    def _edge(self, node: LayerNode, i: int) -> Edge:
        flags = node.located.message.propagate_down
        if flags and len(flags) != len(node.bottoms):
            self._bad_propagate_down(node, len(flags))
            return Edge(False, Reason("propagate_down has the wrong length"))
        stop = own_stop(node, i)
        if flags and flags[i] and stop is not None:
            self.errors.add(GraphError(f"{node.who}: propagate_down: true asks for a gradient by bottom {i} "
                                       f"'{node.located.message.bottom[i]}', which this type does not give",
                                       where=node.located.span_of("propagate_down", i)))
        elif flags and flags[i]:
            return Edge(True, Reason("propagate_down: true", node.located.span_of("propagate_down", i)))
        if not flags and node.bottoms[i] not in self.wants:
            return Edge(False, Reason("nothing below learns"))
        if stop is not None:
            return Edge(False, stop)
        return Edge(True, Reason("a layer below learns"))

    def _bad_propagate_down(self, node: LayerNode, n: int) -> None:
        if not any("propagate_down" in e.message and node.who in e.message for e in self.errors.found):
            self.errors.add(GraphError(f"{node.who}: expected one propagate_down a bottom ({len(node.bottoms)}) or "
                                       f"none, got {n}", where=node.located.span_of("propagate_down", 0)))

    def _why_wanted(self, node: LayerNode, edges: list[Edge], learning: list[Param]) -> Reason:
        if learning:
            return Reason(f"'{node.name}' learns ({', '.join(p.init.name for p in learning)})")
        if any(e.flows for e in edges):
            return Reason("something below learns")
        own = self.params_of[node.index]
        if own:
            return Reason(f"frozen: {own[0].reason.text}", own[0].reason.span)
        stopped = next((e for e in edges if e.reason.span is not None), None)
        return stopped.reason if stopped else Reason("nothing below learns")

    def _downward(self) -> None:
        """From the last layer up: what does not reach a loss, or whose tops get no gradient, does not run."""
        under_loss: set[int] = set()
        for node in reversed(self.net.layers):
            runs, why = self.runs[node.index]
            reaches = any(t in self.losses or t in under_loss for t in node.tops)
            fed = any(t in self.losses or self._fed(t) for t in node.tops)
            if not reaches:
                runs, why = False, Reason("leads to no loss" if node.tops else "makes nothing a loss could use")
            elif runs and not fed:
                runs, why = False, Reason("no layer above passes a gradient down")
            self.runs[node.index] = (runs, why)
            edges = self.edges[node.index]
            for i, value in enumerate(node.bottoms):
                if value is None:
                    continue
                if reaches:
                    under_loss.add(value)
                if edges[i].flows and not runs:
                    edges[i] = Edge(False, why)

    def _fed(self, value: int) -> bool:
        """Whether any reader of a value passes a gradient down to it."""
        return any(self.edges[layer][bottom].flows for layer, bottom in self.net.values[value].readers)

    def _force(self) -> None:
        """force_backward: every layer and every bottom that its type differentiates; Caffe's switch for saliency."""
        span = self.net.located.span_of("force_backward")
        for node in self.net.layers:
            if node.layer is None or not self._has_gradient_rule(node):
                continue
            self.runs[node.index] = (True, Reason("force_backward", span))
            for i, edge in enumerate(self.edges[node.index]):
                if not edge.flows and node.layer.differentiates(i):
                    self.edges[node.index][i] = Edge(True, Reason("force_backward", span))

    def _has_gradient_rule(self, node: LayerNode) -> bool:
        """Layers without params that differentiate no bottom (Accuracy, Data) have no backward to run; an Embed has one."""
        assert node.layer is not None
        return (any(node.layer.differentiates(i) for i in range(len(node.bottoms))) or not node.bottoms
                or bool(self.params_of[node.index]))

    def _step(self, node: LayerNode) -> Step:
        runs, why = self.runs[node.index]
        own = self.params_of[node.index]
        edges = tuple(self.edges[node.index])
        learns = tuple(runs and p.init.learns and (p.learns or self.net.force_backward) for p in own)
        need = Need(tuple(runs and e.flows for e in edges), learns)
        return Step(node, self.shapes.inferred[node.index] or Inferred(tops=()), tuple(p.id for p in own), edges, need,
                    runs and any([*need.bottoms, *need.params]), why)


def _sums(shapes: NetShapes, steps: tuple[Step, ...],
          losses: dict[int, float]) -> dict[int, tuple[tuple[int, int], ...]]:
    """The values with several users, and which of these give a gradient (in file order)."""
    sums = {}
    for value in shapes.description.values:
        users = len(value.readers) + (value.id in losses)
        if users > 1:
            sums[value.id] = tuple((layer, b) for layer, b in value.readers
                                   if steps[layer].backward and steps[layer].need.bottoms[b])
    return sums


def _with_gradient(steps: tuple[Step, ...], losses: dict[int, float]) -> frozenset[int]:
    reached = {step.node.bottoms[i] for step in steps if step.backward for i, n in enumerate(step.need.bottoms) if n}
    return frozenset(v for v in reached if v is not None) | frozenset(losses)


def warn_stops(result: GraphPlan) -> None:
    """Warn where a gradient that something below could use stops at a loss's labels (Caffe aborts there)."""
    for step in result.steps:
        if step.node.layer is None or not step.node.layer.is_loss or not step.backward:
            continue
        for i, edge in enumerate(step.edges):
            if not edge.flows and "taken as constant" in edge.reason.text:
                warn(f"{step.node.who}: gives no gradient by bottom {i} "
                     f"'{step.node.located.message.bottom[i]}', though a layer below it learns", edge.reason.span)
