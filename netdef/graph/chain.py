"""The chain rule along the paths from the loss to a blob or a param, written out: one equation a value, last to first.

No path is listed twice: where paths meet, their gradients are added up in one equation, so that a net of 150 layers has
some hundred equations, however many paths it has.
"""
from __future__ import annotations

import textwrap
from collections.abc import Iterator

from netdef.graph.assumed import Assumed, StandIn
from netdef.graph.formula import Gradients
from netdef.graph.model import GraphPlan, LayerNode, Param
from netdef.graph.paths import Graph, Hop, Ways
from netdef.graph.render import shape_text
from netdef.graph.target import Target, is_asked

WIDTH = 120
MOST = 6  # stand-ins that are listed


def render_chain(plan: GraphPlan, target: Target) -> str:
    """All equations for a target of ``plan``, each with the formula of the layer that computes it."""
    graph = Graph(plan)
    ways = graph.ways(graph.is_open)
    near = graph.reach(target.values, graph.is_open)
    chain = _Chain(graph, ways)
    values = [v.id for v in reversed(plan.description.values) if v.id in near.counts and ways.counts[v.id]]
    if not values:
        return (f"no gradient reaches '{target.name}'; `netdef explain NET --why {target.name}` shows where it is "
                "stopped")
    losses = [x for x in plan.losses if x in values]
    chain.name_loss(losses)
    lines = [*chain.head(losses), *(line for v in values for line in chain.equation(v))]
    for param in target.params:
        lines += chain.param(param, values)
    return "\n".join([*lines, *chain.notes(values, target)])


class _Chain:
    """Writes one equation at a time."""

    def __init__(self, graph: Graph, ways: Ways) -> None:
        self.graph, self.ways = graph, ways
        self.plan, self.net = graph.plan, graph.net
        self.loss = "L"

    def name_loss(self, losses: list[int]) -> None:
        """One loss goes by its name (unless a slash in it would look like a fraction), several by L."""
        name = self.net.version_name(losses[0])
        if len(losses) == 1 and "/" not in name:
            self.loss = name

    def head(self, losses: list[int]) -> Iterator[str]:
        """What L is, where the loss has no name of its own here."""
        if self.loss == "L":
            terms = [("" if self.plan.losses[x] == 1 else f"{self.plan.losses[x]:g} ") + self.net.version_name(x)
                     for x in losses]
            yield from _wrapped("L = " + " + ".join(terms))

    def equation(self, value: int) -> Iterator[str]:
        """``d loss / d ip1 (64x500) = d loss / d ip2 (64x10) . d ip2 / d ip1``, and below it the layers' formulas."""
        terms, formulas = [], []
        if value in self.plan.losses:
            terms.append(f"{self.plan.losses[value]:g}")
            formulas.append("its loss_weight")
        for hop in self.net.values[value].readers:
            if not any(self.ways.counts[t] for t in self.net.layers[hop[0]].tops):
                continue
            node = self.net.layers[hop[0]]
            if not self.graph.is_open(hop):
                formulas.append(f"nothing from {node.name}: {self.graph.stops[hop]}")
                continue
            terms += [f"{self.of(t)} . d {self.net.version_name(t)} / d {self.net.version_name(value)}"
                      for t in node.tops if self.ways.counts[t]]
            formulas.append(self.formula(node, hop))
        yield from _equation(self.of(value), terms)
        for text in formulas:
            yield from _wrapped(text, "    ")

    def of(self, value: int) -> str:
        """``d loss / d ip1 (64x500)``."""
        return f"d {self.loss} / d {self.net.version_name(value)} ({shape_text(self.plan.shapes.values[value])})"

    def formula(self, node: LayerNode, hop: Hop) -> str:
        """``ip2 (InnerProduct): dx = dy W``."""
        return f"{node.name} ({node.type}): {self._text(node, hop[1])}"

    def _text(self, node: LayerNode, what: int | str) -> str:
        """The formula for a bottom (its number) or a param (its name)."""
        if node.type == "Python" and not node.located.message.python_param.numeric_gradient:
            return "whatever its backward computes"
        if isinstance(node.layer, Assumed) and not isinstance(node.layer, StandIn):
            return node.layer.assumed
        assert node.layer is not None
        gradients = Gradients(node.layer)
        text = gradients.of_param(what) if isinstance(what, str) else gradients.of_bottom(what)
        return text or f"see `netdef layers {node.type}`"

    def param(self, param: Param, values: list[int]) -> Iterator[str]:
        """The last equation: from a layer's tops to one of its params."""
        node = self.net.layers[param.layer]
        name = f"{node.name}.{param.init.name}"
        shape = "?" if self.plan.shapes.inferred[param.layer] is None else shape_text(tuple(param.init.shape))
        terms = [f"{self.of(t)} . d {self.net.version_name(t)} / d {name}" for t in node.tops if t in values]
        if not terms:
            return
        yield from _equation(f"d {self.loss} / d {name} ({shape})", terms)
        if param.init.learns:
            yield from _wrapped(f"{node.name} ({node.type}): {self._text(node, param.init.name)}", "    ")
        if not param.learns:
            yield from _wrapped(f"not computed: {param.reason}", "    ")
        if param.owner != param.id:
            owner = self.plan.params[param.owner]
            yield f"    added to that of {self.net.layers[owner.layer].name}.{owner.init.name}, whose memory it shares"

    def notes(self, values: list[int], target: Target) -> Iterator[str]:
        """What the reader may stumble over."""
        if any(self.net.values[v].replaces is not None for v in values):
            first = next(v for v in reversed(values) if self.net.values[v].replaces is not None)
            blob, maker = self.net.values[first].blob, self.net.layers[self.net.values[first].maker].name
            yield ""
            yield f"{blob}@{maker} is {blob} as {maker} leaves it, in place"
        if any(self.plan.shapes.values[v] is None for v in values):
            yield ""
            yield "? is a shape that is not known here:"
            missing = [n for n in self.net.layers if isinstance(n.layer, Assumed)]
            for node in missing[:MOST]:
                yield from _wrapped(f"{node.name} ({node.type}): {node.layer.assumed}", "  ")  # type: ignore[union-attr]
            if len(missing) > MOST:
                yield f"  ... and {len(missing) - MOST} more"
        if not target.only_params and not is_asked(self.plan, target):
            yield ""
            yield (f"not computed in this net: nothing at or below '{target.name}' learns; force_backward: true asks "
                   "for it")


def _equation(left: str, terms: list[str]) -> list[str]:
    """On one line, or a line for each term."""
    line = f"{left} = {' + '.join(terms)}"
    return [line] if len(line) <= WIDTH else [left, *(f"    {'+' if i else '='} {t}" for i, t in enumerate(terms))]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "    ",
                         break_on_hyphens=False, break_long_words=False)
