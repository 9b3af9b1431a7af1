"""A PyTorch module from a netdef plan, layer by layer: the same net, for a fair race and to compare results.

What a user of PyTorch would write is written: a BatchNorm with a Scale behind it is one ``batch_norm`` with its affine part, a
ReLU in place is in place, a loss is ``cross_entropy``. Accuracy and data layers are left out.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional as F

from netdef.graph.model import GraphPlan, Step

Operator = Callable[..., torch.Tensor]


class PlanModule(torch.nn.Module):
    """The steps of a plan up to layer ``end`` (None: all); called with tensors by value id, it gives all values by id."""

    def __init__(self, plan: GraphPlan, end: str | None = None) -> None:
        super().__init__()
        self.plan = plan
        self.weights = torch.nn.ParameterDict()
        names = [step.node.name for step in plan.steps]
        steps = plan.steps[: names.index(end) + 1] if end else plan.steps
        self.merged = _scales(plan, steps)
        merged = {norm.node.index: scale for norm, scale in self.merged}
        self.calls: list[tuple[Step, Operator]] = []
        self.outputs: dict[int, int] = {}  # the value that a merged Scale makes, by the one its BatchNorm makes
        skipped = {id(step) for step in merged.values()}
        for step in steps:
            if step.node.type in BUILDERS and id(step) not in skipped:
                scale = merged.get(step.node.index)
                if scale is not None:
                    self.outputs[step.node.tops[0]] = scale.node.tops[0]
                self.calls.append((step, BUILDERS[step.node.type](self, step, scale)))

    def param(self, step: Step, index: int) -> torch.nn.Parameter:
        """A param of a step, made with its shape and small random values."""
        key = f"{step.node.index}_{index}"
        if key not in self.weights:
            shape = self.plan.params[step.params[index]].init.shape
            self.weights[key] = torch.nn.Parameter(torch.randn(shape) * (0.02 if len(shape) > 1 else 0.0))
        return self.weights[key]

    def load(self, arrays: Mapping[str, Any]) -> None:
        """Take a netdef net's params, as lists of arrays by layer name."""
        with torch.no_grad():
            for key, weight in self.weights.items():
                index, which = (int(part) for part in key.split("_"))
                array = arrays[self.plan.steps[index].node.name][which]
                weight.copy_(torch.from_numpy(array).reshape(weight.shape))

    def forward(self, values: dict[int, torch.Tensor]) -> dict[int, torch.Tensor]:
        """All values by id, those given included."""
        values = dict(values)
        for step, call in self.calls:
            made = call(*(values[b] for b in step.node.bottoms if b is not None))
            for top in step.node.tops[:1]:
                values[self.outputs.get(top, top)] = made
        return values

    def loss(self, values: dict[int, torch.Tensor]) -> torch.Tensor:
        """The weighted sum of the losses among the values."""
        return sum((weight * values[v] for v, weight in self.plan.losses.items() if v in values), torch.zeros(()))


def _scales(plan: GraphPlan, steps: tuple[Step, ...]) -> list[tuple[Step, Step]]:
    """(a BatchNorm, the Scale that reads nothing but it and is its only reader)."""
    found = []
    for step in steps:
        if step.node.type != "BatchNorm":
            continue
        readers = plan.description.values[step.node.tops[0]].readers
        if len(readers) == 1:
            reader = plan.steps[readers[0][0]]
            if reader.node.type == "Scale" and len(reader.node.bottoms) == 1 and len(reader.params) == 2:
                found.append((step, reader))
    return found


def _layer(step: Step) -> Any:
    assert step.node.layer is not None
    return step.node.layer


def _shape(module: PlanModule, step: Step, bottom: int = 0) -> tuple[int, ...]:
    value = step.node.bottoms[bottom]
    assert value is not None
    shape = module.plan.shapes.values[value]
    assert shape is not None
    return tuple(shape)


def _convolution(module: PlanModule, step: Step, scale: Step | None) -> Operator:
    layer, shape = _layer(step), _shape(module, step)
    window = layer._axis_and_window(shape)[1]
    weights = module.param(step, 0)
    bias = module.param(step, 1) if layer.options.bias_term else None
    group = layer.options.group
    return lambda x: F.conv2d(x, weights, bias, window.stride, window.pad, window.dilation, group)


def _inner_product(module: PlanModule, step: Step, scale: Step | None) -> Operator:
    weights = module.param(step, 0)
    bias = module.param(step, 1) if _layer(step).options.bias_term else None
    return lambda x: F.linear(x.flatten(_layer(step).options.axis), weights, bias)


def _relu(module: PlanModule, step: Step, scale: Step | None) -> Operator:
    in_place, slope = step.node.spec.in_place, _layer(step).slope
    if slope:
        return lambda x: F.leaky_relu(x, slope, in_place)
    return lambda x: F.relu(x, in_place)


def _pooling(module: PlanModule, step: Step, scale: Step | None) -> Operator:
    layer, shape = _layer(step), _shape(module, step)
    kernel, stride, pad = layer._sizes(shape)
    ceil = layer.options.round_mode == 0
    if layer.pool == 0:
        return lambda x: F.max_pool2d(x, kernel, stride, pad, ceil_mode=ceil)
    return lambda x: F.avg_pool2d(x, kernel, stride, pad, ceil_mode=ceil)


def _lrn(module: PlanModule, step: Step, scale: Step | None) -> Operator:
    layer = _layer(step)
    o = layer.options
    size, alpha, beta, k = o.local_size, o.alpha, o.beta, o.k
    if layer.within:
        return lambda x: x * (1 + alpha * F.avg_pool2d(x * x, size, 1, size // 2)).pow(-beta)
    return lambda x: F.local_response_norm(x, size, alpha, beta, k)


def _batch_norm(module: PlanModule, step: Step, scale: Step | None) -> Operator:
    layer, channels = _layer(step), _shape(module, step)[1]
    weight = bias = None
    if scale is not None:
        weight, bias = module.param(scale, 0), module.param(scale, 1)
        with torch.no_grad():
            weight.fill_(1)
    mean, var = torch.zeros(channels), torch.ones(channels)
    training, eps = not layer.stored, layer.options.eps
    return lambda x: F.batch_norm(x, mean, var, weight, bias, training, 0.1, eps)


def _scale(module: PlanModule, step: Step, scale: Step | None) -> Operator:
    weight = module.param(step, 0)
    bias = module.param(step, 1) if _layer(step).options.bias_term else None
    with torch.no_grad():
        weight.fill_(1)
    spread = (-1, *(1,) * (len(_shape(module, step)) - 2))
    if bias is None:
        return lambda x: x * weight.view(spread)
    return lambda x: torch.addcmul(bias.view(spread), x, weight.view(spread))


def _eltwise(module: PlanModule, step: Step, scale: Step | None) -> Operator:
    layer = _layer(step)
    if layer.operation == 1:
        if all(c == 1 for c in layer.coeff):
            return lambda *xs: xs[0] + xs[1] if len(xs) == 2 else torch.stack(xs).sum(0)
        return lambda *xs: sum((c * x for c, x in zip(layer.coeff, xs, strict=True)), torch.zeros(()))
    both = torch.mul if layer.operation == 0 else torch.maximum

    def chain(first: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        for other in others:
            first = both(first, other)
        return first
    return chain


def _dropout(module: PlanModule, step: Step, scale: Step | None) -> Operator:
    layer = _layer(step)
    if layer.identity:
        return lambda x: x
    return lambda x: F.dropout(x, layer.ratio)


def _concat(module: PlanModule, step: Step, scale: Step | None) -> Operator:
    layer = _layer(step)
    axis = getattr(layer.options, layer.option)
    return lambda *xs: torch.cat(xs, axis)


def _softmax_loss(module: PlanModule, step: Step, scale: Step | None) -> Operator:
    return lambda x, label: F.cross_entropy(x.flatten(1), label)


BUILDERS: dict[str, Callable[[PlanModule, Step, Step | None], Operator]] = {
    "Convolution": _convolution,
    "InnerProduct": _inner_product,
    "ReLU": _relu,
    "Pooling": _pooling,
    "LRN": _lrn,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "Eltwise": _eltwise,
    "Dropout": _dropout,
    "Concat": _concat,
    "Softmax": lambda module, step, scale: lambda x: F.softmax(x, _layer(step).options.axis),
    "Flatten": lambda module, step, scale: lambda x: x.flatten(_layer(step).options.axis),
    "Sigmoid": lambda module, step, scale: torch.sigmoid,
    "TanH": lambda module, step, scale: torch.tanh,
    "SoftmaxWithLoss": _softmax_loss,
}
"""Layer types that can be built; a new type of net needs a row here. All but data and Accuracy layers must stand in it."""
