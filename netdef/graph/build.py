"""From a file (or message) to a plan: read, bind, upgrade, describe, infer, plan, with all mistakes in one report."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netdef.config.load import load_net
from netdef.errors import Collector, ConfigError, ConfigErrors, FieldError
from netdef.graph.describe import describe
from netdef.graph.infer import infer
from netdef.graph.model import GraphPlan
from netdef.graph.plan import plan, warn_stops
from netdef.graph.standin import Assumptions
from netdef.layers.base import Shape


def build(net: Any, phase: str | None = None, level: int | None = None, stages: Sequence[str] = (),
          inputs: Mapping[str, Shape] | None = None, overrides: Sequence[str] = (),
          assume: Assumptions | None = None) -> GraphPlan:
    """The plan of ``net``: a path, a NetParameter message or a Located one.

    With ``assume`` the plan is one to look at and not to run: data layers without data and Python layers without
    modules have stand-ins, and shapes behind them may be unknown (``standin.py``).

    Raises one ConfigError, or ConfigErrors for several, from whatever stages found them.
    """
    errors = Collector()
    located = load_net(net, overrides=overrides, errors=errors)
    description = describe(located, phase, level, tuple(stages), errors, assume)
    shapes = infer(description, inputs, errors)
    result = plan(shapes, errors)
    errors.raise_all()
    warn_stops(result)
    return result


@dataclass(frozen=True)
class Survey:
    """A plan made of whatever is here, and the mistakes that were set aside since they decide no gradient's way."""

    plan: GraphPlan
    set_aside: tuple[ConfigError, ...]


def survey(net: Any, phase: str | None = None, level: int | None = None, stages: Sequence[str] = (),
           overrides: Sequence[str] = (), shapes: Mapping[str, Shape] | None = None) -> Survey:
    """The plan of ``net`` for questions about its gradients; never one to run.

    Layers that are not here are replaced (``assumed.py``), and shapes may be unknown. What makes the graph itself
    doubtful is raised as in ``build``: unknown blobs, blobs made twice, unsafe in-place layers, mistakes in fields
    such as ``lr_mult``. ``shapes`` are those assumed of blobs whose data are not here.
    """
    errors, sizes = Collector(), Collector()
    located = load_net(net, overrides=overrides, errors=errors)
    description = describe(located, phase, level, tuple(stages), errors, Assumptions(shapes or {}, everything=True))
    result = plan(infer(description, errors=sizes), errors)
    doubtful = [e for e in errors.found if not _in_options(e)]
    if doubtful:
        raise doubtful[0] if len(doubtful) == 1 else ConfigErrors(doubtful)
    return Survey(result, (*errors.found, *sizes.found))


def _in_options(error: ConfigError) -> bool:
    """Whether a mistake stands within a layer's options (``..._param``), which decide numbers and not ways."""
    said = error.message.rpartition("): ")[2] or error.message
    return isinstance(error, FieldError) and re.search(r"\w_param\b", said) is not None
