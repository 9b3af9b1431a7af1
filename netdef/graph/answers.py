"""Answers about one blob, layer or param of a net, as text: `netdef explain --why` and `--backward`."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netdef.graph.build import survey
from netdef.graph.chain import render_chain
from netdef.graph.target import resolve
from netdef.graph.why import why
from netdef.graph.whytext import render_why
from netdef.layers.base import Shape


def why_text(net: Any, name: str, phase: str | None = None, level: int | None = None, stages: Sequence[str] = (),
             overrides: Sequence[str] = (), shapes: Mapping[str, Shape] | None = None) -> str:
    """By which paths a gradient reaches ``name``, and on which it is stopped. Raises what ``survey`` and ``resolve`` do."""
    found = survey(net, phase, level, stages, overrides, shapes)
    return render_why(why(found.plan, resolve(found.plan, name)), len(found.set_aside))


def chain_text(net: Any, name: str, phase: str | None = None, level: int | None = None, stages: Sequence[str] = (),
               overrides: Sequence[str] = (), shapes: Mapping[str, Shape] | None = None) -> str:
    """The chain rule from the loss to ``name``. Raises what ``survey`` and ``resolve`` do."""
    found = survey(net, phase, level, stages, overrides, shapes)
    return render_chain(found.plan, resolve(found.plan, name))
