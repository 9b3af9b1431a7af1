"""One stage of a net's life as text: what `netdef explain --stage` prints."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netdef.config.load import load_net
from netdef.config.write import to_prototxt
from netdef.errors import Collector
from netdef.graph.build import build
from netdef.graph.describe import describe
from netdef.graph.infer import infer
from netdef.graph.render import render_description, render_plan, render_shapes
from netdef.graph.standin import Assumptions
from netdef.layers.base import Shape


def show(net: Any, stage: str, phase: str | None = None, level: int | None = None, stages: Sequence[str] = (),
         overrides: Sequence[str] = (), shapes: Mapping[str, Shape] | None = None) -> str:
    """The text of ``tree``, ``description``, ``shapes`` or ``plan``. Raises what that stage or one before raises.

    Data and Python modules need not be here; ``shapes`` are those assumed of blobs that they would make.
    """
    assume = Assumptions(shapes or {})
    if stage == "plan":
        return render_plan(build(net, phase, level, stages, overrides=overrides, assume=assume))
    errors = Collector()
    located = load_net(net, overrides=overrides, errors=errors)
    if stage == "tree":
        errors.raise_all()
        return to_prototxt(located.message).rstrip("\n")
    description = describe(located, phase, level, tuple(stages), errors, assume)
    if stage == "description":
        errors.raise_all()
        return render_description(description)
    inferred = infer(description, errors=errors)
    errors.raise_all()
    return render_shapes(inferred)
