"""One stage of a net's life as text: what `netdef explain --stage` prints."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netdef.config.load import load_net
from netdef.config.write import to_prototxt
from netdef.errors import Collector
from netdef.graph.build import build
from netdef.graph.describe import describe
from netdef.graph.infer import infer
from netdef.graph.render import render_description, render_plan, render_shapes


def show(net: Any, stage: str, phase: str | None = None, level: int | None = None, stages: Sequence[str] = (),
         overrides: Sequence[str] = ()) -> str:
    """The text of ``tree``, ``description``, ``shapes`` or ``plan``. Raises what that stage or one before raises."""
    if stage == "plan":
        return render_plan(build(net, phase, level, stages, overrides=overrides))
    errors = Collector()
    located = load_net(net, overrides=overrides, errors=errors)
    if stage == "tree":
        errors.raise_all()
        return to_prototxt(located.message).rstrip("\n")
    description = describe(located, phase, level, tuple(stages), errors)
    if stage == "description":
        errors.raise_all()
        return render_description(description)
    shapes = infer(description, errors=errors)
    errors.raise_all()
    return render_shapes(shapes)
