"""The values that the graph stages hand on: printable, never changed after they are made."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from netdef.config.located import Located
from netdef.errors import Span
from netdef.layers.base import Inferred, Layer, LayerSpec, Need, ParamInit, Shape

AUTOMATIC = "(automatic)"  # Caffe's name for the top that a loss layer makes when none is written


@dataclass(frozen=True)
class State:
    """What the include and exclude rules look at: phase TRAIN or TEST, level, and a tuple of stages."""

    phase: str = "TEST"
    level: int = 0
    stages: tuple[str, ...] = ()

    def __str__(self) -> str:
        stages = f", stages {' '.join(self.stages)}" if self.stages else ""
        return f"phase {self.phase}, level {self.level}{stages}"


@dataclass(frozen=True)
class Value:
    """One version of a blob: made by one top, read by any number of bottoms.

    An in-place layer makes the next version of the same blob, in the same memory.
    ``readers`` are (layer index, bottom index) in file order.
    """

    id: int
    blob: str
    maker: int
    top: int
    readers: tuple[tuple[int, int], ...] = ()
    replaces: int | None = None  # the version that an in-place layer overwrote

    @property
    def automatic(self) -> bool:
        """Whether the blob has no name of its own (a loss without a written top)."""
        return self.blob == AUTOMATIC


@dataclass(frozen=True)
class LayerNode:
    """One layer kept for this state: what it is, what it reads and makes (as value ids)."""

    index: int
    name: str
    type: str
    located: Located
    spec: LayerSpec
    layer: Layer | None  # None where the type or an option is wrong: the stages behind stay silent about it
    bottoms: tuple[int | None, ...]  # None: a bottom that nobody makes
    tops: tuple[int, ...]
    loss_weights: tuple[float, ...]

    @property
    def who(self) -> str:
        """``layer 'ip1' (InnerProduct)``."""
        return self.spec.who


@dataclass(frozen=True)
class Dropped:
    """A layer that the rules leave out, and why."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    reason: str
    span: Span
    is_loss: bool = False  # whether it would have been a loss


@dataclass(frozen=True)
class NetDescription:
    """Which layers run, in order, and which blob goes where."""

    name: str
    state: State
    layers: tuple[LayerNode, ...]
    values: tuple[Value, ...]
    dropped: tuple[Dropped, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]  # blobs that nobody reads, by name
    force_backward: bool
    located: Located

    def value_name(self, value: int) -> str:
        """The blob's name of a value."""
        return self.values[value].blob

    def version_name(self, value: int) -> str:
        """The blob's name, with ``@relu1`` for what the in-place layer relu1 made of it; a loss without a top by layer."""
        v = self.values[value]
        maker = self.layers[v.maker].name
        return maker if v.automatic else v.blob if v.replaces is None else f"{v.blob}@{maker}"

    def split_name(self, value: int, user: int) -> str:
        """Caffe's name for one use of a blob that has several: ``data_data_0_split_1``."""
        v = self.values[value]
        return f"{v.blob}_{self.layers[v.maker].name}_{v.top}_split_{user}"


@dataclass(frozen=True)
class NetShapes:
    """The shape of every value, and what each layer inferred (None where an error stands before it)."""

    description: NetDescription
    values: tuple[Shape | None, ...]
    inferred: tuple[Inferred | None, ...]


@dataclass(frozen=True)
class Reason:
    """Why a gradient flows or stops, and the config line that decided it."""

    text: str
    span: Span | None = None

    def __str__(self) -> str:
        return f"{self.text} [{self.span}]" if self.span else self.text


@dataclass(frozen=True)
class Edge:
    """One bottom of one layer: whether a gradient goes down it, and why (not)."""

    flows: bool
    reason: Reason


@dataclass(frozen=True)
class Param:
    """One param of one layer. ``owner`` is the id of the param whose memory it uses (its own id if not shared)."""

    id: int
    layer: int
    index: int
    init: ParamInit
    owner: int
    share_name: str
    lr_mult: float
    decay_mult: float
    learns: bool
    reason: Reason


@dataclass(frozen=True)
class Step:
    """One layer in the plan: what it needs in backward, edge by edge, and why."""

    node: LayerNode
    inferred: Inferred
    params: tuple[int, ...]
    edges: tuple[Edge, ...]
    need: Need
    backward: bool
    reason: Reason  # why backward runs or not


@dataclass(frozen=True)
class GraphPlan:
    """Everything the executor needs: it only walks these lists.

    ``steps`` in forward order; ``backward_order`` step indices from last to first, only those that run;
    ``sums`` value id -> the (layer, bottom) edges whose gradients are added up for it, in file order;
    ``losses`` value id -> weight.
    """

    shapes: NetShapes
    steps: tuple[Step, ...]
    backward_order: tuple[int, ...]
    params: tuple[Param, ...]
    sums: Mapping[int, tuple[tuple[int, int], ...]]
    losses: Mapping[int, float]
    gradients: Mapping[int, Reason] = field(default_factory=dict)  # value id -> why it gets (no) gradient
    with_gradient: frozenset[int] = frozenset()

    @property
    def description(self) -> NetDescription:
        """The description this plan was made from."""
        return self.shapes.description

    def uses(self, value: int) -> list[tuple[int, int] | None]:
        """The uses of a value as Caffe counts them: a loss weight first (None), then its readers in file order."""
        loss: list[tuple[int, int] | None] = [None] if value in self.losses else []
        return loss + list(self.description.values[value].readers)


def as_plain(value: Any) -> Any:
    """Nothing but lists, dicts, strings and numbers, for JSON and tests."""
    if isinstance(value, (list, tuple)):
        return [as_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): as_plain(v) for k, v in value.items()}
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)
