"""debug_info: what Caffe logs of every layer, told as events while a net runs.

Of each array the mean absolute value is told (not an L2 norm, as often said): tops and params after a layer's forward,
the gradients by bottoms and params after its backward, and one pair of norms over all params after a backward pass.
Caffe puts a Split layer behind each blob with several users; netdef has none, but the lines name them all the same,
since tools and eyes look for them.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from netdef import kernels as K
from netdef.blob import Blob
from netdef.runtime.executor import RunStep
from netdef.runtime.hooks import Handle
from netdef.runtime.net import Net
from netdef.solvers import events as e

Tell = Callable[[e.Event], None]


class DebugInfo:
    """Hooks on one net, hung up while ``on``; ``tell`` gets the events, ``count()`` says the iteration."""

    def __init__(self, net: Net, tell: Tell, count: Callable[[], int]) -> None:
        self.net = net
        self.tell = tell
        self.count = count
        self._handles: list[Handle] = []
        self._names = bottom_names(net)

    @property
    def on(self) -> bool:
        """Whether the next pass is told about."""
        return bool(self._handles)

    def switch(self, on: bool) -> None:
        """Begin or end telling; what already is so stays so."""
        if on == self.on:
            return
        for handle in self._handles:
            handle.remove()
        self._handles = [] if not on else [
            self.net.hooks.add("after_forward", self._forward),
            self.net.hooks.add("before_backward", self._splits_backward),
            self.net.hooks.add("after_backward", self._backward)]

    def finish_backward(self) -> None:
        """After ``net.backward()``: the splits of what no backward step makes, and the norms of all params."""
        if not self.on:
            return
        for value in reversed(self.net.executor.at_the_end):
            self._split_backward(value)
        data, diff = (_norms([getattr(self.net.param_blobs[i], part) for i in self.net.learnable()])
                      for part in ("data", "diff"))
        self.tell(e.ParamsShown(self.count(), (data[0], diff[0]), (data[1], diff[1])))

    def _forward(self, run: RunStep) -> None:
        for value, blob in zip(run.node.tops, run.tops, strict=True):
            self._say("Forward", run.name, "top", self.net.plan.description.value_name(value), "data", blob.data)
        for i, blob in enumerate(run.params):
            self._say("Forward", run.name, "param", self._param_name(run, i), "data", blob.data)
        description = self.net.plan.description
        for value, blob in zip(run.node.tops, run.tops, strict=True):
            uses = self.net.plan.uses(value)
            if len(uses) > 1:
                for k in range(len(uses)):
                    self._say("Forward", split_layer(self.net, value), "top", description.split_name(value, k), "data",
                              blob.data)

    def _splits_backward(self, run: RunStep) -> None:
        """Caffe runs a layer's splits backward, last one first, before the layer."""
        for value in reversed(run.node.tops):
            self._split_backward(value)

    def _split_backward(self, value: int) -> None:
        plan = self.net.plan
        if len(plan.uses(value)) > 1 and value in plan.with_gradient:
            self._say("Backward", split_layer(self.net, value), "bottom", plan.description.value_name(value), "diff",
                      self.net.executor.blobs[value].diff)

    def _backward(self, run: RunStep) -> None:
        for i, blob in enumerate(run.bottoms):
            if run.need.bottoms[i]:
                self._say("Backward", run.name, "bottom", self._names[run.node.index, i], "diff", blob.diff)
        for i, blob in enumerate(run.params):
            if run.need.params[i]:
                self._say("Backward", run.name, "param", str(i), "diff", blob.diff)

    def _param_name(self, run: RunStep, i: int) -> str:
        """The name that sharing goes by where there is one, else the number."""
        return self.net.plan.params[run.step.params[i]].share_name or str(i)

    def _say(self, direction: str, layer: str, role: str, blob: str, part: str, values: np.ndarray) -> None:
        self.tell(e.LayerShown(self.count(), direction, layer, role, blob, part, mean_abs(values)))


def mean_abs(values: np.ndarray) -> float:
    """Sum of |x| over the count; NaN for an empty array, as in Caffe."""
    return K.sum_abs(values) / values.size if values.size else math.nan


def split_layer(net: Net, value: int) -> str:
    """Caffe's name of the layer that hands a blob to several others: ``data_data_0_split``."""
    return net.plan.description.split_name(value, 0).rpartition("_")[0]


def bottom_names(net: Net) -> dict[tuple[int, int], str]:
    """(layer index, bottom index) -> the blob's name, which is a split's where it has several users."""
    description = net.plan.description
    return {use: name for value in description.values for use, name in _uses(net, value.id, value.blob)}


def _uses(net: Net, value: int, blob: str) -> Iterator[tuple[tuple[int, int], str]]:
    uses = net.plan.uses(value)
    for k, use in enumerate(uses):
        if use is not None:
            yield use, net.plan.description.split_name(value, k) if len(uses) > 1 else blob


def gradient_norms(net: Net, iter_size: int) -> tuple[float, dict[str, float]]:
    """L2 norms of the mean gradient over ``iter_size`` passes: of all owned params, and of each layer's own."""
    squares: dict[str, float] = {}
    for i in net.learnable():
        param, blob = net.plan.params[i], net.param_blobs[i]
        name = net.plan.description.layers[param.layer].name
        if param.lr_mult != 0:
            squares[name] = squares.get(name, 0.0) + _squares(blob)
    layers = {name: math.sqrt(value) / iter_size for name, value in squares.items()}
    return math.sqrt(sum(squares.values())) / iter_size, layers


def _squares(blob: Blob) -> float:
    return K.sum_squares(blob.diff) if blob.has_diff else 0.0


def _norms(arrays: list[np.ndarray]) -> tuple[float, float]:
    """L1 and L2 norm of all values together."""
    return sum(K.sum_abs(a) for a in arrays), math.sqrt(sum(K.sum_squares(a) for a in arrays))
