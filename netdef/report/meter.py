"""Meter: one pass of a net measured through hooks, array by array, while it runs; nothing is kept but the numbers.

A frame is what is known of one iteration::

    {"iteration": 7, "loss": 0.3, "lr": 0.01 or None,
     "tops":   {"<value id>": {"data": numbers, "diff": numbers or absent, "picture": picture or absent}},
     "params": {"<param id>": {"data", "diff", "update": numbers, "ratio", "picture", "diff_picture"}},   owned params only
     "edges":  {"<layer>:<bottom>": root mean square of the gradient that went down this edge},
     "layers": {"<layer>": {"dead": share of a ReLU's units, "saturated": share of a Sigmoid's or TanH's values}}}

``numbers`` and ``picture`` are those of ``numbers.py`` and ``pictures.py``; ``update`` is new less old; ``ratio`` is its size
relative to the weight's. Because hooks see each layer at work, a blob that layers change in place has the numbers of each
version. A recording has only the last data and the last gradient: ``frame_of`` makes of it what can be made.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from netdef.debug.look import CURVES, Look, owned
from netdef.debug.recording import Recording
from netdef.graph.model import GraphPlan, Step
from netdef.report.numbers import Plain, number, numbers_of
from netdef.report.pictures import Size, activations, filters
from netdef.runtime.executor import RunStep
from netdef.runtime.hooks import Handle
from netdef.runtime.net import Net
from netdef.runtime.watch import dead_share, rms, saturated_share


class Meter:
    """Measures what runs between ``begin`` and ``frame``; between two measurements the net runs as if there were none.

    ``before_update`` when the gradients are ready, ``after_update`` where a solver has changed the params. ``look`` is the
    layers' health in the pass at hand, for ``debug/health.py``.
    """

    def __init__(self, net: Net, size: Size = Size()) -> None:  # noqa: B008  (frozen)
        self.net = net
        self.size = size
        self.look: Look | None = None
        self.tops: dict[int, Plain] = {}
        self.params: dict[int, Plain] = {}
        self.edges: dict[str, Any] = {}
        self._handles: list[Handle] = []

    def begin(self) -> None:
        """Forget what was measured and hook in."""
        self.close()
        self.tops, self.params, self.edges = {}, {}, {}
        self.look = Look(self.net)
        add = self.net.hooks.add
        self._handles = [add("after_forward", self._forward), add("before_backward", self._down),
                         add("after_backward", self._backward)]

    def close(self) -> None:
        """Take the hooks away; what was measured stays."""
        if self.look is not None:
            self.look.close()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    @property
    def measuring(self) -> bool:
        """Whether it is hooked in."""
        return bool(self._handles)

    def before_update(self) -> None:
        """Measure the params and their gradients."""
        assert self.look is not None
        with np.errstate(all="ignore"):
            self.look.before_update()
        for param in owned(self.net):
            blob = self.net.param_blobs[param.id]
            diff = blob.diff if self.net.plan.steps[param.layer].backward else None
            self.params[param.id] = _param(blob.data, diff, self.size)

    def after_update(self) -> None:
        """Measure by how much the params have moved."""
        assert self.look is not None
        with np.errstate(all="ignore"):
            self.look.after_update()
        for key, seen in self.look.params.items():
            self.params[key]["update"] = numbers_of(self.look.kept[key])
            self.params[key]["ratio"] = number(seen.ratio)

    def frame(self, iteration: int, loss: float, lr: float | None = None) -> Plain:
        """What was measured since ``begin``; the hooks are taken away."""
        assert self.look is not None
        self.close()
        layers = {str(i): _health(step, seen.dead, seen.saturated)
                  for i, (step, seen) in enumerate(zip(self.net.plan.steps, self.look.layers, strict=True))}
        return _frame(iteration, loss, lr, self.tops, self.params, self.edges, layers)

    def _forward(self, run: RunStep) -> None:
        for value, top in zip(run.node.tops, run.tops, strict=True):
            self.tops[value] = _top(top.data, self.size)

    def _down(self, run: RunStep) -> None:
        """Before backward: in place, the bottoms' gradients will stand where the tops' stand now."""
        for value, top in zip(run.node.tops, run.tops, strict=True):
            if value in self.net.plan.with_gradient and value in self.tops:
                self.tops[value]["diff"] = numbers_of(top.diff)

    def _backward(self, run: RunStep) -> None:
        plan = self.net.plan
        for i, (value, bottom) in enumerate(zip(run.node.bottoms, run.bottoms, strict=True)):
            if value is None or not run.need.bottoms[i]:
                continue
            self.edges[f"{run.node.index}:{i}"] = number(rms(bottom.diff))
            if not plan.steps[plan.description.values[value].maker].backward and value in self.tops:
                self.tops[value]["diff"] = numbers_of(bottom.diff)  # nobody below measures it


def frame_of(plan: GraphPlan, recording: Recording, size: Size = Size()) -> Plain:  # noqa: B008  (frozen)
    """The frame of a recording of this plan, or of one much like it: what has no array in it is left out."""
    tops: dict[int, Plain] = {}
    edges: dict[str, Any] = {}
    layers: dict[str, Plain] = {}
    for step in plan.steps:
        for value in step.node.tops:
            key = f"blob/{plan.description.value_name(value)}"
            data, diff = recording.arrays.get(f"{key}/data"), recording.arrays.get(f"{key}/diff")
            if data is not None:
                tops[value] = _top(data, size) | ({} if diff is None else {"diff": numbers_of(diff)})
                layers[str(step.node.index)] = _health(step, *_shares(step, data))
        for i, read in enumerate(step.node.bottoms):
            diff = None if read is None else recording.arrays.get(f"blob/{plan.description.value_name(read)}/diff")
            if diff is not None and step.need.bottoms[i]:
                edges[f"{step.node.index}:{i}"] = number(rms(diff))
    return _frame(recording.iteration, recording.loss, None, tops, _recorded(plan, recording, size), edges, layers)


def _recorded(plan: GraphPlan, recording: Recording, size: Size) -> dict[int, Plain]:
    """The params of a recording."""
    params: dict[int, Plain] = {}
    for p in plan.params:
        of: Callable[[str], np.ndarray | None] = lambda what: recording.of(  # noqa: E731
            plan.description.layers[p.layer].name, p.index, what)  # noqa: B023  (called at once)
        data, update = of("data"), of("update")
        if p.owner != p.id or data is None:
            continue
        params[p.id] = _param(data, of("diff") if plan.steps[p.layer].backward else None, size)
        if update is not None:
            value, change = rms(data), rms(update)
            params[p.id]["update"] = numbers_of(-update)
            params[p.id]["ratio"] = number(change / value if value else np.inf if change else 0.0)
    return params


def _frame(iteration: int, loss: float, lr: float | None, tops: dict[int, Plain], params: dict[int, Plain],
           edges: dict[str, Any], layers: dict[str, Plain]) -> Plain:
    return {"iteration": iteration, "loss": number(loss), "lr": number(lr), "tops": {str(k): v for k, v in tops.items()},
            "params": {str(k): v for k, v in params.items()}, "edges": edges, "layers": {k: v for k, v in layers.items() if v}}


def _top(data: np.ndarray, size: Size) -> Plain:
    found: Plain = {"data": numbers_of(data)}
    picture = activations(data, size)
    return found | ({} if picture is None else {"picture": picture})


def _param(data: np.ndarray, diff: np.ndarray | None, size: Size) -> Plain:
    found: Plain = {"data": numbers_of(data)}
    if (picture := filters(data, size)) is not None:
        found["picture"] = picture
    if diff is not None:
        found["diff"] = numbers_of(diff)
        if (picture := filters(diff, size)) is not None:
            found["diff_picture"] = picture
    return found


def _shares(step: Step, data: np.ndarray) -> tuple[float, float]:
    """Dead and saturated shares of what a layer made, as ``look.py`` measures them."""
    type_, layer = step.node.type, step.node.layer
    dead = dead_share(data) if type_ == "ReLU" and layer is not None and layer.options.negative_slope == 0 else 0.0
    return dead, saturated_share(data, *CURVES[type_]) if type_ in CURVES else 0.0


def _health(step: Step, dead: float, saturated: float) -> Plain:
    if step.node.type == "ReLU":
        return {"dead": number(dead)}
    return {"saturated": number(saturated)} if step.node.type in CURVES else {}
