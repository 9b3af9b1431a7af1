"""Collect: everything that the report page shows, as one value that JSON can hold. No HTML and no drawing here.

The value, version 1 (what is written as "numbers" or "picture" stands in ``numbers.py`` and ``pictures.py``, a frame in
``meter.py``)::

    {"version": 1, "title": "LeNet", "source": what was run, "netdef": "0.9", "phase": "TRAIN",
     "layers": [{"name", "type", "line", "is_loss", "backward": bool, "reason": why it runs backward or not,
                 "bottoms": [{"blob", "value": id or null, "from": layer or null, "flows": bool, "reason"}],
                 "tops":    [{"value": id, "blob", "name", "shape": [...], "gradient": bool, "reason"}],
                 "params":  [{"id", "owner", "index", "name", "shape": [...], "learns": bool, "lr_mult", "reason"}]}],
     "graph": {"width", "height",
               "nodes": [{"x", "y", "width", "height"}],                         the middle of each layer's box
               "edges": [{"layer", "bottom", "from", "path": SVG path, "x", "y": where a stop is marked}]},
     "runs": [{"label", "title", "frames": [frame], "curves": [curve], "findings": [finding]}],      two to compare them
     "comparison": null or [{"iteration", "differences": [{"layer": index, "what", "text", "relative"}]}]}

A curve is ``{"name", "quantity", "raw": bool, "points": [[iteration, value]]}``, a finding ``debug/finding.py``'s
``as_plain()`` and ``meaning``. Layers count from 0 in the order of the net. Whoever shows a run while it goes on appends
frames, curve points and findings to ``runs[0]`` (``report.js``: ``netdefReport.show(data)``).
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from netdef import __version__
from netdef.debug.compare import Difference
from netdef.graph.model import GraphPlan, Reason, Step
from netdef.report.layout import Edge, Node, curve, lay_out
from netdef.report.numbers import Plain, number
from netdef.report.pictures import Size, size_for

VERSION = 1
CHARACTER = 7.3  # pixels of a character in a box
SMALLEST, LARGEST = 88.0, 138.0  # width of a box; longer names lose their middle
HEIGHT = 34.0
MOST_POINTS = 400  # of a curve
MOST_DIFFERENCES = 200  # listed for one iteration


@dataclass
class Run:
    """What was seen of one run: frames of ``meter.py``, curves, findings as plain values; ``title`` says in words what it is."""

    label: str
    title: str = ""
    frames: list[Plain] = field(default_factory=list)
    curves: list[Plain] = field(default_factory=list)
    findings: list[Plain] = field(default_factory=list)


def page_data(plan: GraphPlan, runs: Sequence[Run], source: str = "",
              comparison: Sequence[tuple[int, Sequence[Difference]]] | None = None) -> Plain:
    """The value for ``page.render``: the net of ``plan``, and one run or two that are held against each other."""
    d = plan.description
    index = {node.name: node.index for node in d.layers}
    compared = None if comparison is None else [
        {"iteration": iteration, "count": len(found), "differences": [_difference(index, x) for x in found[:MOST_DIFFERENCES]]}
        for iteration, found in comparison]
    return {"version": VERSION, "title": d.name or "net", "source": source, "netdef": __version__, "phase": d.state.phase,
            "layers": [_layer(plan, step) for step in plan.steps], "graph": graph(plan),
            "runs": [vars(run) for run in runs], "comparison": compared}


def picture_size(plan: GraphPlan, frames: int) -> Size:
    """The size of pictures that lets a page of so many frames stay small."""
    shapes = [plan.shapes.values[t] for step in plan.steps for t in step.node.tops]
    planes = sum(shape is not None and len(shape) >= 4 for shape in shapes)
    weights = sum(len(p.init.shape) == 4 and max(p.init.shape[2:]) > 1 for p in plan.params)
    return size_for((planes + 2 * weights) * max(frames, 1))


def _difference(index: dict[str, int], found: Difference) -> Plain:
    return {"layer": index.get(found.layer), "what": found.what, "text": str(found), "relative": number(found.relative)}


# the net ------------------------------------------------------------------------------------------------------


def _layer(plan: GraphPlan, step: Step) -> Plain:
    node, d = step.node, plan.description
    bottoms = [{"blob": None if v is None else d.value_name(v), "value": v, "from": None if v is None else d.values[v].maker,
                "flows": edge.flows, "reason": str(edge.reason)} for v, edge in zip(node.bottoms, step.edges, strict=True)]
    tops = [{"value": v, "blob": d.version_name(v), "name": d.value_name(v), "shape": _shape(plan.shapes.values[v]),
             "gradient": v in plan.with_gradient, "reason": str(plan.gradients.get(v, Reason("")))} for v in node.tops]
    params = [{"id": p.id, "owner": p.owner, "index": p.index, "name": p.init.name, "shape": _shape(p.init.shape),
               "learns": p.learns, "lr_mult": number(p.lr_mult), "reason": str(p.reason)}
              for p in (plan.params[i] for i in step.params)]
    return {"name": node.name, "type": node.type, "line": str(node.located.span), "backward": step.backward,
            "is_loss": bool(node.layer is not None and node.layer.is_loss), "reason": str(step.reason),
            "bottoms": bottoms, "tops": tops, "params": params}


def _shape(shape: Iterable[int] | None) -> list[int]:
    return [int(n) for n in shape or ()]


def graph(plan: GraphPlan) -> Plain:
    """One box a layer, one edge a bottom."""
    d = plan.description
    boxes = [Node(n.index, min(LARGEST, max(SMALLEST, 22 + CHARACTER * max(len(n.name), len(n.type)))), HEIGHT)
             for n in d.layers]
    ends = [(n.index, i, d.values[v].maker) for n in d.layers for i, v in enumerate(n.bottoms) if v is not None]
    placed = lay_out(boxes, [Edge(maker, layer) for layer, _, maker in ends], row_gap=16.0)
    nodes = [{"x": _pixel(placed.nodes[b.key][0]), "y": _pixel(placed.nodes[b.key][1]), "width": _pixel(b.width),
              "height": _pixel(b.height)} for b in boxes]
    edges = [{"layer": layer, "bottom": bottom, "from": maker, "path": curve(points), "x": _pixel(points[-1][0]),
              "y": _pixel(points[-1][1] - 8)} for (layer, bottom, maker), points in zip(ends, placed.edges, strict=True)]
    return {"width": _pixel(placed.width), "height": _pixel(placed.height), "nodes": nodes, "edges": edges}


def _pixel(x: float) -> float:
    return round(x, 1)


# curves -------------------------------------------------------------------------------------------------------


def plain_curve(name: str, quantity: str, points: Sequence[tuple[float, float]], raw: bool = False) -> Plain:
    """A curve for the page; of many points every k-th stays, and the last."""
    step = -(-len(points) // MOST_POINTS) or 1
    kept = list(points[::step]) + (list(points[-1:]) if (len(points) - 1) % step else [])
    return {"name": name, "quantity": quantity, "raw": raw, "points": [[int(i), number(x)] for i, x in kept]}
