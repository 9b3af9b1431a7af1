"""A net as boxes and arrows: what a drawing of it shows. Made from a plan; knows nothing of where things stand.

An in-place layer stands in the box of the layer whose blob it changes, unless asked otherwise. An arrow is one bottom; it
knows whether a gradient comes down it, and else why not.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from netdef.errors import Span
from netdef.graph.assumed import Assumed
from netdef.graph.model import GraphPlan, Reason, State, Step
from netdef.graph.render import render_shape
from netdef.report.kinds import kind_of
from netdef.report.shortly import short_options
from netdef.report.stopping import Stopping


@dataclass(frozen=True)
class Part:
    """One layer in a box.

    ``shape`` is that of its first top (empty: it has none, or it is unknown); ``params`` and ``macs`` (multiply-adds of a
    forward pass) are None where shapes are unknown; ``learns`` is "learns", "frozen" or "" (no params).
    ``stop``: in place, and a gradient that something below could use ends here; why.
    """

    index: int
    name: str
    type: str
    kind: str
    options: str
    shape: str
    params: int | None
    macs: int | None
    phase: str
    learns: str = ""
    backward: bool = False
    reason: str = ""
    stop: str = ""
    assumed: str = ""
    where: str = ""


@dataclass(frozen=True)
class Out:
    """A blob that leaves a box: its value id, name ("" for the unnamed top of a loss), shape, loss weight, readers."""

    value: int
    blob: str
    shape: str
    loss_weight: float
    readers: int


@dataclass
class Box:
    """A layer and the in-place layers that work on its only top; ``key`` is the number of the first of them, or of a split
    ``split:VALUE``."""

    key: str
    parts: list[Part]
    outs: list[Out]

    @property
    def macs(self) -> int:
        """Multiply-adds of all parts whose shapes are known."""
        return sum(p.macs or 0 for p in self.parts)


@dataclass(frozen=True)
class Arrow:
    """From out number ``port`` of box ``source`` to box ``target``: the bottom ``bottom`` of the layer ``reader``.

    ``flows``: whether a gradient comes down it in backward. If not, ``reason`` says why, and ``stops`` whether something
    below could have used it.
    """

    source: str
    target: str
    port: int
    value: int
    blob: str
    shape: str
    reader: str
    bottom: int
    flows: bool
    stops: bool
    reason: str


@dataclass(frozen=True)
class NetGraph:
    """A net to be drawn. ``trains``: whether any gradient flows at all. ``params`` counts shared ones once."""

    name: str
    state: State
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    params: int
    macs: int
    trains: bool
    unknown: int  # layers whose shapes are not known

    def parts(self) -> Iterator[Part]:
        """Every layer, in the order of boxes."""
        return (part for box in self.boxes for part in box.parts)


def graph_of(plan: GraphPlan, stacked: bool = True, splits: bool = False) -> NetGraph:
    """The boxes and arrows of a plan (of ``build``, or of ``build.survey`` where layers may be missing).

    ``stacked``: in-place layers stand in the box of what they work on. ``splits``: a box wherever a blob has several
    users, as Caffe inserts Split layers, with its names for their tops; without it those that Caffe wrote into a saved net
    are left out.
    """
    making = _Making(plan, stacked, splits)
    for step in plan.steps:
        making.add(step)
    shapes = plan.shapes
    own = [p for p in plan.params if p.owner == p.id and shapes.inferred[p.layer] is not None]
    return NetGraph(plan.description.name, plan.description.state, tuple(making.boxes), tuple(making.arrows),
                    sum(math.prod(p.init.shape) for p in own), sum(s.inferred.macs for s in plan.steps),
                    any(any(s.need.bottoms) or any(s.need.params) for s in plan.steps),
                    sum(x is None for x in shapes.inferred))


@dataclass
class _Making:
    """Adds one layer after the other, so that every arrow comes from a box with a smaller number."""

    plan: GraphPlan
    stacked: bool
    splits: bool
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    made: dict[int, tuple[int, int]] = field(default_factory=dict)  # value -> number of its box, port
    split: dict[int, int] = field(default_factory=dict)  # value -> number of its split's box
    hidden: set[int] = field(default_factory=set)  # tops of Split layers that are not drawn

    def __post_init__(self) -> None:
        self.stopping = Stopping(self.plan)

    def add(self, step: Step) -> None:
        """A box for one layer, or a further part of the box that it works on."""
        node = step.node
        if not self.splits and self._is_caffes_split(step):
            assert node.bottoms[0] is not None
            self.hidden.update(node.tops)
            self.made.update(dict.fromkeys(node.tops, self.made[node.bottoms[0]]))
            return
        number = self._base(step) if self.stacked else None
        part = self._part(step, number is not None)
        if number is None:
            number = len(self.boxes)
            sources = [self._source(node.index, i, v) for i, v in enumerate(node.bottoms)]
            number = len(self.boxes)  # a split may have come before
            self.boxes.append(Box(str(node.index), [part], []))
        else:
            self.boxes[number].parts.append(part)
            sources = [None, *(self._source(node.index, i, v) for i, v in list(enumerate(node.bottoms))[1:])]
        for i, source in enumerate(sources):
            if source is not None:
                self._arrow(step, i, source, number)
        box = self.boxes[number]
        box.outs = [self._out(v) for v in node.tops]
        for port, value in enumerate(node.tops):
            self.made[value] = (number, port)

    def _is_caffes_split(self, step: Step) -> bool:
        """Whether a layer is a Split that Caffe wrote into a saved net, by the name that it gives them."""
        node, value = step.node, step.node.bottoms[0] if step.node.bottoms else None
        if node.type != "Split" or value is None or value not in self.made or value in self.hidden:
            return False
        return node.name == self.plan.description.split_name(value, 0).removesuffix("_0")

    def _base(self, step: Step) -> int | None:
        """The box that an in-place layer can stand in: the only blob to leave it is the one that is changed, and nothing
        else that the layer reads is made behind it."""
        node, values = step.node, self.plan.description.values
        if len(node.tops) != 1 or values[node.tops[0]].replaces is None or node.bottoms[0] not in self.made:
            return None
        if node.bottoms[0] in self.hidden:
            return None
        assert node.bottoms[0] is not None
        number, _ = self.made[node.bottoms[0]]
        others = [self.made[v][0] for v in node.bottoms[1:] if v is not None and v in self.made]
        fits = len(self.boxes[number].outs) == 1 and all(o < number for o in others)
        return number if fits and not self._is_split(node.bottoms[0]) else None

    def _is_split(self, value: int) -> bool:
        return self.splits and len(self.plan.uses(value)) > 1

    def _source(self, layer: int, bottom: int, value: int | None) -> tuple[int, int] | None:
        """Number of the box and port where a bottom comes from; makes the split before it where one is asked for."""
        if value is None or value not in self.made:
            return None
        if not self._is_split(value):
            return self.made[value]
        uses = self.plan.uses(value)
        if value not in self.split:
            d, shape = self.plan.description, _shape(self.plan, value)
            outs = [Out(value, d.split_name(value, i), shape, self.plan.losses[value] if use is None else 0.0,
                        int(use is not None)) for i, use in enumerate(uses)]
            name = d.split_name(value, 0).removesuffix("_0")
            part = Part(-1, name, "Split", "shape", "", shape, 0, 0, d.state.phase, where="(inserted by Caffe)")
            self.split[value] = len(self.boxes)
            self.boxes.append(Box(f"split:{value}", [part], outs))
            source, port = self.made[value]
            gets = value in self.plan.with_gradient
            why = "" if gets else str(self.plan.gradients.get(value, ""))
            self.arrows.append(Arrow(self.boxes[source].key, f"split:{value}", port, value, d.value_name(value), shape, name, 0,
                                     gets, False, why))
        return self.split[value], uses.index((layer, bottom))

    def _arrow(self, step: Step, bottom: int, source: tuple[int, int], target: int) -> None:
        value = step.node.bottoms[bottom]
        assert value is not None
        flows, stops, reason = self.stopping.of(step, bottom)
        box, port = self.boxes[source[0]], source[1]
        self.arrows.append(Arrow(box.key, self.boxes[target].key, port, value, box.outs[port].blob, box.outs[port].shape,
                                 step.node.name, bottom, flows, stops, said(reason)))

    def _out(self, value: int) -> Out:
        d, v = self.plan.description, self.plan.description.values[value]
        return Out(value, "" if v.automatic else d.value_name(value), _shape(self.plan, value),
                   self.plan.losses.get(value, 0.0), len(v.readers))

    def _part(self, step: Step, in_box: bool) -> Part:
        plan, node = self.plan, step.node
        known = plan.shapes.inferred[node.index] is not None
        params = [plan.params[i] for i in step.params]
        learns = "" if not params else "learns" if any(step.need.params) else "frozen"
        stop = ""
        if in_box:
            _, stops, reason = self.stopping.of(step, 0)
            stop = said(reason) if stops else ""
        return Part(node.index, node.name, node.type, kind_of(node), short_options(node),
                    _shape(plan, node.tops[0]) if node.tops else "",
                    sum(math.prod(p.shape) for p in step.inferred.params) if known else None,
                    step.inferred.macs if known else None, plan.description.state.phase, learns, step.backward,
                    said(step.reason), stop, node.layer.assumed if isinstance(node.layer, Assumed) else "",
                    place(node.located.span))


def _shape(plan: GraphPlan, value: int) -> str:
    """``64x20x24x24``; empty where it is not known."""
    return render_shape(plan.shapes, value) if plan.shapes.values[value] is not None else ""


def said(reason: Reason | None) -> str:
    """A reason with the line that decided it; empty for None."""
    if reason is None:
        return ""
    return f"{reason.text} [{place(reason.span)}]" if reason.span else reason.text


def place(span: Span) -> str:
    """``net.prototxt:12``: no folders, so that a drawing is the same wherever it is made."""
    return f"{span.file.replace(chr(92), '/').rpartition('/')[2]}:{span.line}"
