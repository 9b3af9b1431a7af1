"""A net looked at without running it: which of its states describe and infer, what is assumed, what is not known here."""
from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from netdef.config.located import Located
from netdef.errors import Collector, ConfigError, UnknownLayerType
from netdef.graph.assumed import Assumed
from netdef.graph.describe import describe
from netdef.graph.filter import PHASES
from netdef.graph.infer import infer
from netdef.graph.model import State
from netdef.graph.render import shape_text
from netdef.graph.standin import Assumptions
from netdef.layers import registry
from netdef.layers.base import Shape


@dataclass(frozen=True)
class StateLook:
    """One state of a net: how many layers it keeps, and how far netdef gets with them.

    ``types`` are those not known here, and how many layers have each; ``assumed`` the shapes taken for blobs whose data
    are not here (``data 64x3x227x227``); ``unknown`` the number of layers whose shapes cannot be told; ``errors`` what
    is wrong with the net, unknown types left out.
    """

    state: State
    layers: int
    types: Mapping[str, int]
    assumed: tuple[str, ...]
    unassumed: tuple[str, ...]
    unknown: int
    errors: tuple[ConfigError, ...]

    @property
    def name(self) -> str:
        """``TEST`` or ``TEST stage deploy``."""
        return " ".join([self.state.phase, *(f"stage {s}" for s in self.state.stages)])

    @property
    def whole(self) -> bool:
        """Whether every shape is known and nothing is wrong."""
        return not (self.types or self.unknown or self.errors)


def look(net: Located, shapes: Mapping[str, Shape] | None = None) -> list[StateLook]:
    """Every state that a net is meant for. Data and Python modules need not be here; ``shapes`` are assumed of them."""
    return [look_at(net, state, shapes) for state in states(net)]


def look_at(net: Located, state: State, shapes: Mapping[str, Shape] | None = None) -> StateLook:
    """One state of a net. Raises BadAssumption for shapes of blobs that this state has not."""
    errors = Collector()
    with silent():
        d = describe(net, state.phase, state.level, state.stages, errors, Assumptions(shapes or {}))
        found = infer(d, errors=errors)
    types = Counter(n.type for n in d.layers if n.type not in registry.layer_types() and n.layer is None)
    made_up = [v for v in d.values if isinstance(d.layers[v.maker].layer, Assumed) and v.replaces is None]
    known = tuple(f"{v.blob} {shape_text(found.values[v.id])}" for v in made_up if found.values[v.id] is not None)
    open_ones = tuple(v.blob for v in made_up if found.values[v.id] is None)
    unknown = sum(i is None and not isinstance(n.layer, Assumed) and n.type not in types
                  for n, i in zip(d.layers, found.inferred, strict=True))
    wrong = tuple(e for e in errors.found if not isinstance(e, UnknownLayerType))
    return StateLook(state, len(d.layers), types, known, open_ones, unknown, wrong)


def states(net: Located) -> list[State]:
    """The states a net is meant for: each phase that brings data, with the stages that its rules name.

    A net without rules runs in both phases where it has a loss, else in TEST.
    """
    layers = net.message.layer
    rules = [r for layer in layers for r in (*layer.include, *layer.exclude)]
    if not rules:
        return [State(p) for p in (PHASES if any(_is_loss(layer) for layer in layers) else ("TEST",))]
    stages = list(dict.fromkeys(s for layer in layers for r in layer.include for s in r.stage))
    found = []
    for phase in PHASES:
        with_data = [s for s in [State(phase), *(State(phase, stages=(s,)) for s in stages)] if _brings_data(net, s)]
        plain = [s for s in with_data if not s.stages]
        found += plain or with_data
    return found or [State("TEST")]


def _brings_data(net: Located, state: State) -> bool:
    from netdef.graph.filter import reason_to_drop

    sources = [x for x in net.children("layer") if not x.message.bottom and x.message.top and x.message.type != "Parameter"]
    kept = []
    for layer in sources:
        with contextlib.suppress(ConfigError):
            if reason_to_drop(layer, state) is None:
                kept.append(layer)
    return bool(kept) or not sources


def _is_loss(layer: Any) -> bool:
    cls = registry.layer_types().get(layer.type)
    return any(layer.loss_weight) or (cls.is_loss if cls is not None else layer.type.endswith("Loss"))


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Inside the block netdef's warnings are not shown: the look says what matters."""
    log = logging.getLogger("netdef")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before
