"""Probe: a trained net cut down to what makes one blob, which answers with values and with gradients by its input."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from netdef.config.load import load_net
from netdef.config.located import Located
from netdef.errors import NetdefError, NumericalError, did_you_mean
from netdef.graph.build import build
from netdef.graph.model import GraphPlan, NetDescription, Value
from netdef.layers.base import Need
from netdef.predict.opening import Paths, files_of, open_net, with_inputs
from netdef.runtime.executor import RunStep

LINKS = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
"""Layer types that make probabilities of scores, and what these are called in ``Probe.link``."""
RECTIFIERS = ("ReLU", "ReLU6", "PReLU", "ELU", "NoisyReLU")


class Probe:
    """A net in the TEST phase, cut down to the layers that make one blob.

    ``net``      path of a net or of a .caffemodel that holds one, or a NetParameter message; of a net with data layers the
                 deploy net is taken
    ``weights``  a weights file or several; a .caffemodel as ``net`` brings its own
    ``blob``     the blob to ask about: a name, in-place layers included, or the name of a layer, for the blob as that layer
                 leaves it; None takes the net's output
    ``scores``   where that blob comes from a Softmax or Sigmoid, take the scores below it: their gradient does not vanish
                 where a probability is near 0 or 1. ``link`` then is "softmax" or "sigmoid", else ""
    ``input``    the input to differentiate by, where the net has several; the others keep the values of ``fix``
    ``shapes``   for a net with data layers whose data are not here: the shape of each input, (N, C, H, W)
    ``dtype``    "float32" or "float64"

    Gradients of params are not computed. Raises ConfigError, WeightsError, and NetdefError for an unknown blob or input and
    where no gradient gets from the blob to the input.
    """

    def __init__(self, net: Any, weights: Paths | None = None, blob: str | None = None, scores: bool = True,
                 input: str | None = None, shapes: Mapping[str, tuple[int, ...]] | None = None,
                 dtype: str = "float32") -> None:
        whole = with_inputs(load_net(net), shapes)
        value, self.link, self.axis = _target(build(whole, "TEST").description, blob, scores)
        plan = by_input_only(build(cut_to(whole, value), "TEST"))
        self.net = open_net(plan, files_of(net, weights), keep="all", freeze=False, dtype=dtype, seed=0)
        self.value = _same(plan.description, value)
        self.blob = self.value.blob
        self.input = _input(plan, input)
        _check_reached(plan, self.input, self.value)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one item of the input, as it is now: (C, H, W) for pictures."""
        return self.net.blobs[self.input].shape[1:]

    @property
    def out_shape(self) -> tuple[int, ...]:
        """The shape of one item of the blob."""
        return self.net.blobs[self.blob].shape[1:]

    @property
    def classes(self) -> int | None:
        """How many scores an item has, where the blob is one row of them: (N, C) or (N, C, 1, 1). Else None."""
        shape = self.out_shape
        return shape[0] if shape and shape[0] > 1 and all(n == 1 for n in shape[1:]) else None

    def fix(self, **values: Any) -> None:
        """Give other inputs values that stay: of the blob's shape, or of one item's. Raises NetdefError."""
        for name, value in values.items():
            blob = self.net.blobs[name] if name in self.net.inputs else None
            if blob is None:
                raise NetdefError(f"the net has no input '{name}'", hint=did_you_mean(name, self.net.inputs))
            array = np.asarray(value, blob.dtype)
            if array.size not in (blob.count, blob.count // max(1, blob.shape[0])):
                raise NetdefError(f"input '{name}': expected {blob.count} values, got {array.size}")
            blob.data[...] = array.reshape(-1, *blob.shape[1:])

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The blob's values (N, ...), a copy, for inputs ``x`` (N, C, H, W). Raises NumericalError where one is not finite."""
        given: dict[str, Any] = {self.input: x}
        self.net.forward(**given)
        made = self.net.blobs[self.blob].data.copy()
        if not np.isfinite(made).all():
            raise NumericalError(f"blob '{self.blob}': the net gives values that are not finite for this input",
                                 hint="are these the right weights and preprocessing?")
        return made

    def backward(self, seed: np.ndarray) -> np.ndarray:
        """The gradient (N, C, H, W), a copy, of sum(seed * blob) by the input, at the inputs of the last ``forward``."""
        given: dict[str, Any] = {self.blob: seed.reshape(self.net.blobs[self.blob].shape)}
        self.net.backward(**given)
        return self.net.blobs[self.input].diff.copy()

    def gradient(self, x: np.ndarray, seed: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The blob's values and the gradient for them, ``seed`` giving the gradient by the blob of its values."""
        values = self.forward(x)
        return values, self.backward(seed(values))

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """What the net makes of scores (N, C, ...): their softmax along the classes, or sigmoid; unlinked ones as they are."""
        return linked(values, self.link, self.axis)

    @contextmanager
    def guided(self) -> Iterator[None]:
        """Within the block, rectifiers pass positive gradients only (Springenberg et al., Striving for Simplicity, 2014)."""
        def mask(run: RunStep) -> None:
            if run.type in RECTIFIERS:
                np.maximum(run.tops[0].diff, 0, out=run.tops[0].diff)

        with self.net.hooks.added(before_backward=mask):
            yield


def linked(values: np.ndarray, link: str, axis: int = 1) -> np.ndarray:
    """Scores as probabilities: ``link`` "softmax" (along ``axis``), "sigmoid", or "" for the values themselves."""
    if link == "softmax":
        shifted = np.exp(values - values.max(axis=axis, keepdims=True))
        return shifted / shifted.sum(axis=axis, keepdims=True)
    return 0.5 * np.tanh(0.5 * values) + 0.5 if link == "sigmoid" else values


def cut_to(net: Located, value: tuple[str, int]) -> Located:
    """The net with only the layers that make a value, with ``force_backward``; see ``value_of`` for the pair."""
    description = build(net, "TEST").description
    wanted, todo = set(), [_same(description, value).maker]
    while todo:
        layer = todo.pop()
        if layer not in wanted:
            wanted.add(layer)
            todo += [description.values[b].maker for b in description.layers[layer].bottoms if b is not None]
    made = net.copy()
    made.set("layer", [n.located for n in description.layers if n.index in wanted], net.span)
    made.set("force_backward", True, net.span)
    return made


def by_input_only(plan: GraphPlan) -> GraphPlan:
    """The same plan without gradients of params, which nobody asks for here: half of the work of a backward pass."""
    steps = tuple(replace(s, need=Need(s.need.bottoms, (False,) * len(s.need.params)),
                          backward=s.backward and any(s.need.bottoms)) for s in plan.steps)
    return replace(plan, steps=steps, backward_order=tuple(i for i in reversed(range(len(steps))) if steps[i].backward))


def value_of(description: NetDescription, name: str) -> Value:
    """The value that a name means: a blob as its last in-place layer leaves it, or what a layer of this name makes.

    Raises NetdefError.
    """
    found = [v for v in description.values if v.blob == name and not v.automatic]
    if not found:
        found = [description.values[n.tops[0]] for n in description.layers if n.name == name and len(n.tops) == 1]
    if not found:
        known = list(dict.fromkeys(v.blob for v in description.values if not v.automatic))
        raise NetdefError(f"the net has no blob '{name}'", where=description.located.file,
                          hint=did_you_mean(name, known) or f"there are {', '.join(known[:12])}"
                          f"{', ...' if len(known) > 12 else ''}")
    return found[-1]


def output_of(description: NetDescription) -> Value:
    """The net's output. Raises NetdefError where there are none or several."""
    inputs = set(description.inputs)
    names = [n for n in description.outputs if n not in inputs]
    if len(names) != 1:
        raise NetdefError(f"expected one output, the net has {len(names)}{': ' if names else ''}{', '.join(names)}",
                          where=description.located.file, hint="pick one with --blob NAME")
    return value_of(description, names[0])


def _target(description: NetDescription, name: str | None, scores: bool) -> tuple[tuple[str, int], str, int]:
    """The value asked about as (blob, version), how it becomes a probability, and along which axis."""
    value = output_of(description) if name is None else value_of(description, name)
    maker, axis = description.layers[value.maker], 1
    link = LINKS.get(maker.type, "")
    if link == "softmax":
        axis = maker.spec.options.axis
    if scores and link and maker.bottoms[0] is not None:
        value = description.values[maker.bottoms[0]]
    elif link:
        link = ""
    return (value.blob, _version(description, value)), link, axis


def _version(description: NetDescription, value: Value) -> int:
    return [v.id for v in description.values if v.blob == value.blob].index(value.id)


def _same(description: NetDescription, value: tuple[str, int]) -> Value:
    """The value of a pair (blob, version), versions counting from 0."""
    return [v for v in description.values if v.blob == value[0]][value[1]]


def _input(plan: GraphPlan, name: str | None) -> str:
    """The input to differentiate by: the one named, the only one, or the one that takes pictures."""
    inputs = plan.description.inputs
    if name is not None:
        if name not in inputs:
            raise NetdefError(f"the net has no input '{name}'", hint=did_you_mean(name, inputs) or f"there are {_list(inputs)}")
        return name
    if len(inputs) == 1:
        return inputs[0]
    pictures = [v.blob for v in plan.description.values if v.blob in inputs and len(plan.shapes.values[v.id] or ()) == 4]
    if len(pictures) != 1:
        raise NetdefError(f"expected one input below the blob, got {len(inputs)}: {_list(inputs)}",
                          where=plan.description.located.file, hint="pick one with --by NAME" if inputs else "")
    return pictures[0]


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _check_reached(plan: GraphPlan, input: str, value: Value) -> None:
    """Raise NetdefError where the gradient stops on every way from a value to the input."""
    if input == value.blob:
        raise NetdefError(f"'{input}' is the input itself")
    values, stops = plan.description.values, []
    seen, todo = {value.id}, [value.id]
    while todo:
        step = plan.steps[values[todo.pop()].maker]
        for i, bottom in enumerate(step.node.bottoms):
            if not step.need.bottoms[i]:
                stops.append(f"{step.node.who}: {step.edges[i].reason}")
            elif bottom is not None and bottom not in seen:
                seen.add(bottom)
                todo.append(bottom)
    if input not in {values[v].blob for v in seen}:
        raise NetdefError(f"no gradient gets from '{value.blob}' to the input '{input}'", where=plan.description.located.file,
                          notes=dict.fromkeys(stops[:6]))
