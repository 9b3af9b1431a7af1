"""From a file (or message) to a plan: read, bind, upgrade, describe, infer, plan, with all mistakes in one report."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netdef.config.load import load_net
from netdef.errors import Collector
from netdef.graph.describe import describe
from netdef.graph.infer import infer
from netdef.graph.model import GraphPlan
from netdef.graph.plan import plan, warn_stops
from netdef.layers.base import Shape


def build(net: Any, phase: str | None = None, level: int | None = None, stages: Sequence[str] = (),
          inputs: Mapping[str, Shape] | None = None, overrides: Sequence[str] = ()) -> GraphPlan:
    """The plan of ``net``: a path, a NetParameter message or a Located one.

    Raises one ConfigError, or ConfigErrors for several, from whatever stages found them.
    """
    errors = Collector()
    located = load_net(net, overrides=overrides, errors=errors)
    description = describe(located, phase, level, tuple(stages), errors)
    shapes = infer(description, inputs, errors)
    result = plan(shapes, errors)
    errors.raise_all()
    warn_stops(result)
    return result
