"""What rules look at: a state of a net (View), a net (NetCase), a solver (SolverCase). Nothing is run and no data needed."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from netdef.config.located import Located
from netdef.debug.netlook import silent, states
from netdef.errors import Collector, ConfigError, ShapeError, Span
from netdef.graph.assumed import Assumed
from netdef.graph.describe import describe
from netdef.graph.infer import infer
from netdef.graph.model import GraphPlan, LayerNode, Param, State
from netdef.graph.plan import plan
from netdef.graph.standin import Assumptions
from netdef.layers.base import Shape

SOURCES_KEPT = ("Parameter",)  # they read nothing, and bring a param


class View:
    """One state of a net: its plan made of what is here, with short ways to ask who reads and who makes what."""

    def __init__(self, made: GraphPlan, loaded: bool, guessed: bool) -> None:
        self.plan, self.d = made, made.description
        self.state = self.d.state
        self.loaded = loaded  # params come from a weights file
        self.guessed = guessed  # nothing in the net says that it is meant for this phase

    @cached_property
    def trains(self) -> bool:
        """Whether there is a loss, and something that learns from data."""
        sources = any(is_source(n) and n.type != "Input" for n in self.d.layers)
        learners = any(p.init.learns for p in self.plan.params)
        return self.state.phase == "TRAIN" and sources and learners and any(is_loss(n) for n in self.d.layers)

    def readers(self, value: int) -> list[tuple[LayerNode, int]]:
        """The layers that read a value, each with the number of the bottom."""
        return [(self.d.layers[layer], bottom) for layer, bottom in self.d.values[value].readers]

    def above(self, node: LayerNode) -> list[LayerNode]:
        """The layers that read a layer's tops, each once."""
        found = {reader.index: reader for top in node.tops for reader, _ in self.readers(top)}
        return [found[i] for i in sorted(found)]

    def maker(self, node: LayerNode, bottom: int = 0, through: Sequence[str] = ()) -> LayerNode | None:
        """Who makes a bottom, looking through layers of the types ``through``; None where nobody does."""
        value = node.bottoms[bottom] if bottom < len(node.bottoms) else None
        if value is None:
            return None
        made = self.d.layers[self.d.values[value].maker]
        return self.maker(made, 0, through) if made.type in through and made.bottoms else made

    def below(self, value: int | None) -> set[int]:
        """The layers that a value depends on, by index."""
        found: set[int] = set()
        todo = [value]
        while todo:
            now = todo.pop()
            if now is not None and self.d.values[now].maker not in found:
                found.add(self.d.values[now].maker)
                todo += self.d.layers[self.d.values[now].maker].bottoms
        return found

    def params(self, node: LayerNode) -> list[Param]:
        """The params of a layer."""
        return [p for p in self.plan.params if p.layer == node.index]

    def shape(self, value: int | None) -> Shape | None:
        """The shape of a value, where it is known."""
        return None if value is None else self.plan.shapes.values[value]

    def blob(self, node: LayerNode, bottom: int) -> str:
        """The name of a bottom."""
        return str(node.located.message.bottom[bottom])


class NetCase:
    """A net, a View of each of its states, and what is wrong with it. ``given`` are its states as a solver has them."""

    def __init__(self, located: Located, errors: Sequence[ConfigError] = (), loaded: bool = False,
                 given: Sequence[State] = ()) -> None:
        self.located, self.loaded = located, loaded
        self.errors = list(errors)
        self.views: list[View] = []
        meant = list(given or states(located))
        phases = {state.phase for state in meant}
        rules = any(layer.include or layer.exclude for layer in located.message.layer)
        for state in meant:
            with silent():
                self._add(state, not given and not rules and len(phases) > 1)

    @staticmethod
    def joined(located: Located, cases: Sequence[NetCase]) -> NetCase:
        """One net of several cases of it, with the views of all; its mistakes have been told."""
        made = NetCase.__new__(NetCase)
        made.located, made.loaded, made.errors = located, cases[0].loaded, []
        made.views = [view for case in cases for view in case.views]
        return made

    def _add(self, state: State, guessed: bool) -> None:
        """First as the net would be built with data; where that fails, with a stand-in for all that is not here."""
        errors = Collector()
        shapes = infer(describe(self.located, state.phase, state.level, state.stages, errors, Assumptions({})), errors=errors)
        assumed = any(isinstance(n.layer, Assumed) for n in shapes.description.layers)
        if errors.found:
            d = describe(self.located, state.phase, state.level, state.stages, Collector(), Assumptions({}, everything=True))
            shapes = infer(d, errors=Collector())
        made = plan(shapes, errors)
        self.errors += [e for e in errors.found if not (assumed and isinstance(e, ShapeError))]
        self.views.append(View(made, self.loaded, guessed))

    @property
    def training(self) -> list[View]:
        """The states that train."""
        return [v for v in self.views if v.trains]

    @property
    def layers(self) -> list[Located]:
        """All layers as written, whatever the state."""
        return self.located.children("layer")


@dataclass
class SolverCase:
    """A solver and its nets; ``net`` is None where the train net cannot be read."""

    located: Located
    net: NetCase | None = None
    tests: list[NetCase] = field(default_factory=list)

    @property
    def message(self) -> Any:
        """The SolverParameter."""
        return self.located.message

    def has(self, name: str) -> bool:
        """Whether a field is written."""
        return self.located.has(name)

    def span(self, name: str, *index: int) -> Span:
        """Where a field, or an element of it, stands."""
        return self.located.span_of(name, *index)

    def test_views(self) -> Iterator[tuple[int, View]]:
        """The number of each test net and its view."""
        for i, net in enumerate(self.tests):
            if net.views:
                yield i, net.views[0]


def is_source(node: LayerNode) -> bool:
    """Whether a layer brings data: it reads nothing and makes something."""
    return not node.located.message.bottom and bool(node.tops) and node.type not in SOURCES_KEPT


def is_loss(node: LayerNode) -> bool:
    """Whether a layer is a loss, by its type or by a loss_weight."""
    return any(node.loss_weights) or bool(getattr(node.layer, "is_loss", False)) or node.type.endswith("Loss")


def known(node: LayerNode) -> bool:
    """Whether the type is one of netdef's, so that what its options mean is known."""
    return node.layer is not None and (not isinstance(node.layer, Assumed) or node.spec.options_field is not None)


def option(node: LayerNode, name: str) -> Any:
    """The value of an option, None where the type has none of this name."""
    return getattr(node.spec.options, name, None)


def width(node: LayerNode) -> int:
    """``num_output``, 0 where there is none."""
    return int(option(node, "num_output") or 0)
