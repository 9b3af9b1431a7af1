"""Look: one pass measured layer by layer through hooks, cheaply: one fused statistic a layer and direction."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from netdef.graph.model import Param
from netdef.runtime.executor import RunStep
from netdef.runtime.hooks import Handle
from netdef.runtime.net import Net
from netdef.runtime.watch import dead_share, items_alike, rms, saturated_share

CURVES = {"Sigmoid": (0.0, 1.0), "TanH": (-1.0, 1.0)}  # the range of each type that saturates


@dataclass
class LayerLook:
    """One layer in one pass; NaN or infinity where a value was not finite.

    ``tops`` are root mean squares of its tops' data; ``alike`` says of each whether all items are the same; ``dead``
    and ``saturated`` are shares of a ReLU's units and of a Sigmoid's or TanH's values. ``gradient_in`` is the largest
    root mean square among the tops' gradients, ``gradient_out`` among the bottoms' that it passes on; None where its
    backward did not run.
    """

    tops: list[float] = field(default_factory=list)
    alike: list[bool] = field(default_factory=list)
    dead: float = 0.0
    saturated: float = 0.0
    gradient_in: float | None = None
    gradient_out: float | None = None


@dataclass
class ParamLook:
    """One owned param around one update: root mean squares of value, gradient and change (0 before the update)."""

    value: float
    gradient: float
    change: float = 0.0

    @property
    def ratio(self) -> float:
        """Change relative to value; infinite where the value was 0."""
        if self.change == 0:
            return 0.0
        return self.change / self.value if self.value else np.inf


class Look:
    """Measures what runs while it is open; ``begin`` starts a new pass, ``close`` takes the hooks away.

    ``layers`` has a LayerLook for each step, ``params`` a ParamLook for each owned param by its id. ``seen(run, event)``
    is called after each measurement, so that a caller can stop at the first bad value.
    """

    def __init__(self, net: Net, seen: Callable[[RunStep, str], None] = lambda run, event: None) -> None:
        self.net = net
        self.seen = seen
        self.layers: list[LayerLook] = []
        self.params: dict[int, ParamLook] = {}
        self.kept: dict[int, np.ndarray] = {}
        self.handles: list[Handle] = []
        self.begin()

    def begin(self) -> None:
        """Forget the last pass and hook in."""
        self.layers = [LayerLook() for _ in self.net.steps]
        self.params = {}
        if not self.handles:
            add = self.net.hooks.add
            self.handles = [add("after_forward", self._forward), add("before_backward", self._down),
                            add("after_backward", self._backward)]

    def close(self) -> None:
        """Take the hooks away."""
        for handle in self.handles:
            handle.remove()
        self.handles = []

    def before_update(self) -> None:
        """Measure the gradients of the params, and keep their values to see what the update does."""
        for param in owned(self.net):
            blob = self.net.param_blobs[param.id]
            self.params[param.id] = ParamLook(rms(blob.data), rms(blob.diff) if blob.has_diff else 0.0)
            kept = self.kept.get(param.id)
            if kept is None or kept.shape != blob.shape:
                kept = self.kept[param.id] = np.empty_like(blob.data)
            np.copyto(kept, blob.data)

    def after_update(self) -> None:
        """Measure how far the params have moved; the kept values are used up."""
        for key, look in self.params.items():
            kept = self.kept[key]
            with np.errstate(all="ignore"):
                np.subtract(self.net.param_blobs[key].data, kept, out=kept)
            look.change = rms(kept)

    def _forward(self, run: RunStep) -> None:
        look = self.layers[run.node.index]
        look.tops = [rms(top.data) for top in run.tops]
        look.alike = [items_alike(top.data) for top in run.tops]
        if run.type == "ReLU" and run.layer.options.negative_slope == 0:
            look.dead = dead_share(run.tops[0].data)
        elif run.type in CURVES:
            look.saturated = saturated_share(run.tops[0].data, *CURVES[run.type])
        self.seen(run, "forward")

    def _down(self, run: RunStep) -> None:
        """Before backward: in place, the bottoms' gradients will stand where the tops' stand now."""
        wanted = self.net.plan.with_gradient
        self.layers[run.node.index].gradient_in = _largest(
            [rms(top.diff) for value, top in zip(run.node.tops, run.tops, strict=True) if value in wanted])

    def _backward(self, run: RunStep) -> None:
        self.layers[run.node.index].gradient_out = _largest(
            [rms(bottom.diff) for bottom, need in zip(run.bottoms, run.need.bottoms, strict=True) if need])
        self.seen(run, "backward")


def _largest(values: list[float]) -> float:
    """The largest value, NaN if there is one, 0 for none."""
    return float(np.max(values)) if values else 0.0


def owned(net: Net) -> list[Param]:
    """The params with memory of their own, in net order."""
    return [net.plan.params[i] for i in net.learnable()]


def zero_weights(run: RunStep) -> bool:
    """Whether a layer multiplies by weights of its own and all of them are 0."""
    multiplies = bool(run.params) and (run.step.inferred.params[0].option == "weight_filler" or run.type == "Scale")
    return multiplies and not run.params[0].data.any()


def param_name(net: Net, param: Param) -> str:
    """``ip1[0]``, as snapshots and messages call it."""
    return f"{net.plan.description.layers[param.layer].name}[{param.index}]"
