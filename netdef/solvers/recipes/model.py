"""The plan of a recipe: printable values, never changed after they are made."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netdef.config.located import Located
from netdef.graph.model import GraphPlan, Param
from netdef.layers.base import Shape
from netdef.solvers.nets import Plans

Key = tuple[str, int]  # a param by its layer's name and its index


@dataclass(frozen=True)
class Taken:
    """Params that a solver takes over: from a stage (and its nets) or from a file.

    ``layers`` are pairs of the layer's name there and here; ``ignored`` are layers there that nobody asked for by name
    and that are not here. ``nets`` are the names of the stage's nets that they come from, one a pair.
    """

    located: Located
    stage: str
    file: str
    layers: tuple[tuple[str, str], ...]
    nets: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """``stage 'pre1'`` or the file's path."""
        return f"stage '{self.stage}'" if self.stage else self.file


@dataclass(frozen=True)
class Feed:
    """The blob ``blob`` of the net ``source`` goes into the Input blob ``to``."""

    located: Located
    source: str
    blob: str
    to: str


@dataclass(frozen=True)
class Gradient:
    """The loss of the net ``source`` counts here, times ``weight``; ``pairs`` are blobs: its own, and the one here that
    gets its gradient."""

    located: Located
    source: str
    weight: float
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Member:
    """One net of a stage and how it is trained.

    ``name`` is the stage's own, or that of the turn; ``solver`` the SolverParameter as it will run, its nets inside;
    ``iterations`` in all, ``per_turn`` in each turn (0: the net is only lent). ``origins`` says in words where each param
    of the train net comes from; ``shared`` which nets of the stage, planned before this one, own the memory of params.
    """

    name: str
    located: Located
    solver: Located
    plans: Plans
    iterations: int
    per_turn: int = 0
    taken: tuple[Taken, ...] = ()
    frozen: tuple[str, ...] = ()
    feeds: tuple[Feed, ...] = ()
    gradients: tuple[Gradient, ...] = ()
    shared: Mapping[Key, tuple[str, Key]] = field(default_factory=dict)

    @property
    def lent(self) -> bool:
        """Whether nothing in it learns."""
        return not self.iterations and self.located.message.DESCRIPTOR.name == "RecipeTurn"

    @property
    def plan(self) -> GraphPlan:
        """The train net's plan."""
        return self.plans.train


@dataclass(frozen=True)
class Stage:
    """One stage: one member, or several in turns (``rounds`` above 0)."""

    name: str
    located: Located
    members: tuple[Member, ...]
    rounds: int = 0
    digest: str = ""

    @property
    def iterations(self) -> int:
        """Of all members together."""
        return sum(m.iterations for m in self.members)

    def member(self, name: str) -> Member:
        """The member of this name."""
        return next(m for m in self.members if m.name == name)


@dataclass(frozen=True)
class RecipePlan:
    """All stages, in the order in which they run."""

    name: str
    located: Located
    stages: tuple[Stage, ...]


def layer_params(plan: GraphPlan) -> dict[str, list[Param]]:
    """The params of each layer that has some, by the layer's name, in net order."""
    return {s.node.name: [plan.params[p] for p in s.params] for s in plan.steps if s.params}


def layer_shapes(plans: Sequence[GraphPlan]) -> dict[str, list[Shape]]:
    """The shapes of params by layer, of several nets; the first one that has a layer decides."""
    found: dict[str, list[Shape]] = {}
    for plan in plans:
        for name, params in layer_params(plan).items():
            found.setdefault(name, [tuple(p.init.shape) for p in params])
    return found


def layer_node(plan: GraphPlan, name: str) -> Any:
    """The layer of this name; it must be there."""
    return next(n for n in plan.description.layers if n.name == name)
