"""Receptive fields: which part of an input a unit can see, exactly from the graph, and which part moves it in fact."""
from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from netdef.config.load import load_net
from netdef.errors import ConfigError, NetdefError
from netdef.graph.build import build
from netdef.graph.model import GraphPlan, NetDescription, Value
from netdef.graph.render import shape_text, table
from netdef.predict.opening import with_inputs
from netdef.probe.reads import reads
from netdef.probe.spans import Spans, spans, text
from netdef.probe.subject import Probe, value_of


@dataclass(frozen=True)
class UnitField:
    """What one unit reads of an input.

    ``mask`` (C, H, W) marks the input's values, dilation's gaps and the image's borders considered; ``exact`` is False where
    a layer counts as reading everything since nothing is known of its type (``assumed`` names these layers). ``padded`` is
    the (first, last) pixel of each image axis with padding, None where the unit sees all or no rule holds.
    """

    blob: str
    unit: tuple[int, ...]
    input: str
    mask: np.ndarray
    assumed: tuple[str, ...]
    padded: tuple[tuple[float, float], ...] | None

    @property
    def exact(self) -> bool:
        """Whether every layer's type is known."""
        return not self.assumed

    @property
    def places(self) -> np.ndarray:
        """(H, W): the places of which any channel is read."""
        return np.asarray(self.mask.any(axis=0) if self.mask.ndim == 3 else self.mask)

    @property
    def box(self) -> tuple[tuple[int, int], ...]:
        """The (first, last) place on each axis of ``places``. Raises NetdefError where nothing is read."""
        found = np.nonzero(self.places)
        if not found[0].size:
            raise NetdefError(f"unit {self.unit} of '{self.blob}' reads nothing of '{self.input}'")
        return tuple((int(f.min()), int(f.max())) for f in found)

    def __str__(self) -> str:
        """A line or two for people."""
        unit = ",".join(map(str, self.unit))
        if not self.mask.any():
            return f"{self.blob}[{unit}] reads nothing of '{self.input}' (only padding, or another input)"
        if self.places.ndim != 2:
            return f"{self.blob}[{unit}] reads {int(self.mask.sum())} of {self.mask.size} values of '{self.input}'"
        (top, bottom), (left, right) = self.box
        sides = (bottom - top + 1, right - left + 1)
        seen, all_of = int(self.places.sum()), sides[0] * sides[1]
        gaps = "" if seen == all_of else f", {seen} of its {all_of} places"
        channels = int(self.mask.reshape(len(self.mask), -1).any(axis=1).sum())
        lines = [f"{self.blob}[{unit}] reads rows {top} to {bottom} and columns {left} to {right} of '{self.input}': "
                 f"{sides[0]}x{sides[1]} of {shape_text(self.places.shape)} pixels{gaps}, "
                 f"{channels} of {len(self.mask)} channels"]
        if self.padded is not None:
            (a, b), (c, d) = self.padded
            if (a, b, c, d) != (top, bottom, left, right):
                lines.append(f"with padding: rows {a:g} to {b:g}, columns {c:g} to {d:g}")
        if self.assumed:
            lines.append(f"counted as reading everything, for want of a rule: {', '.join(self.assumed)}")
        return "\n".join(lines)


class Fields:
    """The receptive fields in a net; needs no weights.

    ``net`` is whatever ``load_net`` takes, ``input`` names the input where there are several, ``shapes`` gives inputs whose
    data are not here (or other ones than written) their shapes. Raises ConfigError, NetdefError.
    """

    def __init__(self, net: Any, input: str | None = None, shapes: Mapping[str, tuple[int, ...]] | None = None) -> None:
        located = with_inputs(load_net(net), shapes)
        plan = build(located, "TEST", inputs=shapes or None)
        d = plan.description
        single = {v.blob: (1, *(plan.shapes.values[v.id] or ())[1:]) for v in d.values if v.blob in d.inputs}
        with contextlib.suppress(ConfigError):  # one item tells everything, unless the net is written for its own batch size
            plan = build(located, "TEST", inputs=single)
        self.plan: GraphPlan = plan
        self.input = _input(plan, input)
        self.spans = spans(plan, self.input)

    @property
    def description(self) -> NetDescription:
        """The layers and values."""
        return self.plan.description

    def __str__(self) -> str:
        """A table of every blob: a unit's size, jump and start in input pixels, height by width."""
        rows, seen = [], set()
        for value in reversed(self.description.values):
            if value.blob in seen or value.automatic or (value.blob in self.description.inputs and value.blob != self.input):
                continue
            seen.add(value.blob)
            rows.append((value.blob, self.description.layers[value.maker].type,
                         shape_text((self.plan.shapes.values[value.id] or ())[1:]), *_columns(self.spans[value.id])))
        return table(reversed(rows), ("blob", "type", "an item", "size", "jump", "start"))

    def of(self, blob: str, unit: tuple[int, ...] | None = None) -> UnitField:
        """The field of a unit: (channel, row, column), (row, column) for all channels there, another index of the blob, or
        None for the one in the middle. Raises NetdefError."""
        value = value_of(self.description, blob)
        mask, unit = self._marked(value, unit)
        masks: dict[int, np.ndarray] = {value.id: mask}
        assumed = []
        for node in reversed(self.description.layers[: value.maker + 1]):
            tops = [masks.get(t) for t in node.tops]
            if not node.bottoms or all(t is None or not t.any() for t in tops):
                continue
            shapes = [self._shape(b) for b in node.bottoms]
            found, known = reads(node, [t if t is not None else np.zeros(self._shape(v), bool)
                                        for t, v in zip(tops, node.tops, strict=True)], shapes)
            if not known:
                assumed.append(f"{node.name} ({node.type})")
            for bottom, seen in zip(node.bottoms, found, strict=True):
                if bottom is not None:
                    masks[bottom] = masks[bottom] | seen if bottom in masks else seen
        source = next(v for v in self.description.values if v.blob == self.input)
        got = masks.get(source.id, np.zeros(self._shape(source.id), bool))
        return UnitField(value.blob, unit, self.input, np.asarray(got.any(axis=0)), tuple(reversed(assumed)),
                         self._padded(value, unit))

    def _shape(self, value: int | None) -> tuple[int, ...]:
        assert value is not None
        return tuple(self.plan.shapes.values[value] or ())

    def _marked(self, value: Value, unit: tuple[int, ...] | None) -> tuple[np.ndarray, tuple[int, ...]]:
        """The mask of a unit, and the unit as an index from its axis on."""
        shape = self._shape(value.id)
        item = shape[1:]
        if unit is None:
            unit = tuple(n // 2 for n in (item[1:] if len(item) == 3 else item))
        skipped = 1 if len(item) == 3 and len(unit) == 2 else 0
        if len(unit) + skipped != len(item) or any(not 0 <= u < n for u, n in zip(unit, item[skipped:], strict=True)):
            raise NetdefError(f"there is no unit {','.join(map(str, unit))} in '{value.blob}', which is "
                              f"{shape_text(item)} an item", hint="row,column or channel,row,column, each from 0"
                              if len(item) == 3 else "an index for each axis, from 0")
        mask = np.zeros(shape, bool)
        where: tuple[Any, ...] = (0, *(slice(None),) * skipped, *unit)
        mask[where] = True
        return mask, unit

    def _padded(self, value: Value, unit: tuple[int, ...]) -> tuple[tuple[float, float], ...] | None:
        axes = self.spans[value.id]
        if axes is None or len(unit) < len(axes) or any(s.rough for s in axes):
            return None
        ends = [s.at(i) for s, i in zip(axes, unit[-len(axes):], strict=True)]
        return tuple((float(a), float(b)) for a, b in ends) if len(ends) == 2 else None


def effective(probe: Probe, unit: tuple[int, ...], inputs: np.ndarray, seed: int = 0) -> np.ndarray:
    """How much each place (H, W) of the input moves a unit: the mean, over ``inputs`` (N, C, H, W), of the gradient's length.

    With (row, column) all channels of the place are looked at, each with a random weight from ``seed`` in every input. The
    field in effect is smaller than the exact one, and falls off like a Gaussian (Luo et al., Understanding the Effective
    Receptive Field in Deep Convolutional Neural Networks, 2016). Raises NetdefError.
    """
    outputs = probe.forward(inputs)
    shape = outputs.shape[1:]
    skipped = 1 if len(shape) == 3 and len(unit) == 2 else 0
    if len(unit) + skipped != len(shape) or any(not 0 <= u < n for u, n in zip(unit, shape[skipped:], strict=True)):
        raise NetdefError(f"there is no unit {','.join(map(str, unit))} in '{probe.blob}', which is {shape_text(shape)} an item")
    where: tuple[Any, ...] = (slice(None), *(slice(None),) * skipped, *unit)
    weights = np.zeros(outputs.shape)
    weights[where] = np.random.default_rng(seed).standard_normal(outputs[where].shape) if skipped else 1.0
    slope = probe.backward(weights).astype(np.float64)
    return np.asarray(np.sqrt((slope**2).sum(axis=1)).mean(axis=0) if slope.ndim == 4 else np.abs(slope).mean(axis=0))


def concentration(heat: np.ndarray, share: float = 0.9) -> tuple[int, int]:
    """How many places, the strongest first, make up ``share`` of a map's sum, and how many are above 0."""
    values = np.sort(heat.reshape(-1))[::-1]
    total = float(values.sum())
    if total <= 0:
        return 0, 0
    return int(np.searchsorted(np.cumsum(values), share * total) + 1), int((heat > 0).sum())


def _columns(axes: Spans) -> tuple[str, str, str]:
    if axes is None:
        return "all", "-", "-"
    about = "~" if any(s.rough for s in axes) else ""
    return (by([text(s.size) for s in axes]), by([text(s.jump) for s in axes]), about + by([text(s.start) for s in axes]))


def by(parts: list[str]) -> str:
    """``5`` where all axes agree, else ``3 x 5``."""
    return parts[0] if len(set(parts)) == 1 else " x ".join(parts)


def _input(plan: GraphPlan, name: str | None) -> str:
    """The input named, the only one, or the one that takes pictures. Raises NetdefError."""
    inputs = plan.description.inputs
    if name is not None and name not in inputs:
        raise NetdefError(f"the net has no input '{name}'", hint=f"there are {', '.join(inputs)}")
    if name is not None or len(inputs) == 1:
        return name or inputs[0]
    found = [v.blob for v in plan.description.values if v.blob in inputs and len(plan.shapes.values[v.id] or ()) == 4]
    if len(found) != 1:
        raise NetdefError(f"expected one input for pictures, the net has {', '.join(inputs) or 'none'}",
                          where=plan.description.located.file, hint="pick one with --by NAME")
    return found[0]
