"""From a net's file to its drawing's: a plan of whatever of the net is here, written in the format that a name ends in."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netdef.config.load import load_net
from netdef.errors import Collector, ConfigErrors, DuplicateTop, NetdefError, UnknownBlob
from netdef.graph.build import Survey
from netdef.graph.describe import describe
from netdef.graph.infer import infer
from netdef.graph.plan import plan
from netdef.graph.standin import Assumptions
from netdef.layers.base import Shape
from netdef.report.boxes import Look
from netdef.report.dot import dot_of
from netdef.report.netgraph import NetGraph
from netdef.report.scene import scene_of
from netdef.report.svg import svg_of
from netdef.weights import atomic_write

ENDINGS = (".svg", ".png", ".dot", ".gv")


def plan_to_draw(net: Any, phase: str | None = None, level: int | None = None, stages: Sequence[str] = (),
                 overrides: Sequence[str] = (), shapes: Mapping[str, Shape] | None = None) -> Survey:
    """The plan of ``net``, in which data, modules and types may be missing, and the mistakes set aside to make it.

    Raises only what leaves no graph to be drawn: syntax errors, blobs that nobody makes or two layers make, no layer at
    all (then with whatever else was found).
    """
    errors = Collector()
    located = load_net(net, overrides=overrides, errors=errors)
    description = describe(located, phase, level, tuple(stages), errors, Assumptions(shapes or {}, everything=True))
    found = plan(infer(description, errors=errors), errors)
    doubtful = [e for e in errors.found if isinstance(e, (UnknownBlob, DuplicateTop)) or not found.steps]
    if doubtful:
        raise doubtful[0] if len(doubtful) == 1 else ConfigErrors(doubtful)
    if not found.steps:
        raise NetdefError(f"the net has no layer in {description.state}", where=description.located.span)
    return Survey(found, tuple(errors.found))


def check_name(path: str | os.PathLike[str]) -> str:
    """The ending of a drawing's file. Raises NetdefError for one that is not known."""
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise NetdefError(f"cannot draw '{path}': expected a name that ends in {', '.join(ENDINGS)}")
    return ending


def write_drawing(graph: NetGraph, path: str | os.PathLike[str], look: Look | None = None) -> None:
    """Write a drawing of ``graph``: whole or not at all. Raises NetdefError where it cannot be drawn or written."""
    ending, look = check_name(path), look or Look()
    if ending == ".png":
        from netdef.report.png import write_png

        with atomic_write(path) as file:
            write_png(scene_of(graph, look), file)
        return
    text = svg_of(scene_of(graph, look)) if ending == ".svg" else dot_of(graph, look)
    with atomic_write(path, "w") as file:
        file.write(text)
