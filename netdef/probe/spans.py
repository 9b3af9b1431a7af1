"""Receptive fields by the rule that papers use: size, jump and start of each blob, composed layer by layer.

On each image axis the unit i of a blob reads ``size`` input pixels from ``start + i * jump`` on; what lies outside of the
image is padding. With l the layer's kernel * dilation, and below it (size, jump, start): a window gives (size + (l - dilation)
* jump, jump * stride, start - pad * jump); blobs that meet give what covers both. The exact set of pixels of one unit, with
its gaps, is ``field.py``'s business.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from netdef.graph.model import GraphPlan, LayerNode
from netdef.layers.base import Shape
from netdef.probe.reads import POINTWISE

_KEEPING = POINTWISE | {"Softmax", "ShuffleChannel", "Slice", "Concat", "Eltwise"}
_WINDOWS = ("Convolution", "DepthwiseConvolution", "ConvolutionDepthwise", "Pooling", "Deconvolution", "Im2col", "LRN")


@dataclass(frozen=True)
class Span:
    """One axis of a blob: pixels that a unit reads, pixels from one unit to the next, the first pixel of unit 0.

    ``rough``: behind a layer that makes images larger, whose units do not all read as much: ``size`` is the most, ``start``
    the least, and where a single unit's pixels begin only the exact field tells.
    """

    size: Fraction
    jump: Fraction
    start: Fraction
    rough: bool = False

    def at(self, index: int) -> tuple[Fraction, Fraction]:
        """The first and the last pixel of unit ``index``, padding included."""
        first = self.start + index * self.jump
        return first, first + self.size - 1

    def windowed(self, kernel: int, stride: int, pad: int, dilation: int = 1) -> Span:
        """Behind a window."""
        return Span(self.size + (kernel - 1) * dilation * self.jump, self.jump * stride, self.start - pad * self.jump,
                    self.rough)

    def spread(self, kernel: int, stride: int, pad: int, dilation: int = 1) -> Span:
        """Behind a transposed window: the most pixels that a unit of the finer grid reads, from the first that any could."""
        reach = (kernel - 1) * dilation
        return Span(self.size + (reach // stride) * self.jump, self.jump / stride,
                    self.start + (pad - reach) * self.jump / stride, self.rough or stride > 1)


Spans = tuple[Span, ...] | None
"""One for each image axis; None: all of the input, or no rule."""


def spans(plan: GraphPlan, input: str) -> list[Spans]:
    """The spans of every value of ``plan`` over the input of this name; None where a unit reads all of it or no rule holds."""
    made: list[Spans] = [None] * len(plan.description.values)
    for node in plan.description.layers:
        below = [made[b] for b in node.bottoms if b is not None]
        for top in node.tops:
            value = plan.description.values[top]
            shape = plan.shapes.values[top]
            if not node.bottoms:
                if value.blob == input and shape is not None and len(shape) > 2:
                    made[top] = tuple(Span(Fraction(1), Fraction(1), Fraction(0)) for _ in shape[2:])
            elif shape is not None and all(b is not None for b in below):
                source = node.bottoms[0]
                assert source is not None
                made[top] = _behind(node, [b for b in below if b is not None], plan.shapes.values[source] or (), shape)
    return made


def _behind(node: LayerNode, below: Sequence[tuple[Span, ...]], bottom: Shape, top: Shape) -> Spans:
    first = below[0]
    if len(top) - 2 != len(first):
        return None
    if node.type in _KEEPING and getattr(node.layer, "stored", True):
        return _together(below)
    if node.type in _WINDOWS:
        return _windowed(node, first, bottom)
    if node.type == "Pad":
        borders = node.layer._borders(len(bottom))[2:]  # type: ignore[union-attr]
        return tuple(Span(s.size, s.jump, s.start - before * s.jump, s.rough)
                     for s, (before, _) in zip(first, borders, strict=True))
    if node.type == "Upsample" and len(node.bottoms) == 1:
        factors = [Fraction(t, b) for t, b in zip(top[2:], bottom[2:], strict=True)]
        return tuple(Span(s.size, s.jump / f, s.start, s.rough or f > 1) for s, f in zip(first, factors, strict=True))
    return None


def _windowed(node: LayerNode, below: tuple[Span, ...], bottom: Shape) -> Spans:
    if node.type == "LRN":
        if not node.layer.within:  # type: ignore[union-attr]
            return below
        n = node.spec.options.local_size
        return tuple(s.windowed(n, 1, n // 2) for s in below)
    if node.type == "Pooling":
        if node.layer.window.kernel is None:  # type: ignore[union-attr]
            return None
        windows = zip(*node.layer._sizes(bottom), strict=True)  # type: ignore[union-attr]
        return tuple(s.windowed(*w) for s, w in zip(below, windows, strict=True))
    layer: Any = node.layer
    window = layer.window_options.window(len(below)) if node.type == "Im2col" else layer._axis_and_window(bottom)[1]
    change = Span.spread if node.type == "Deconvolution" else Span.windowed
    return tuple(change(s, *w) for s, w in zip(below, zip(*window, strict=True), strict=True))


def _together(below: Sequence[tuple[Span, ...]]) -> Spans:
    """What covers all; None where they are not of one jump."""
    made = []
    for axis in zip(*below, strict=True):
        if len({s.jump for s in axis}) > 1:
            return None
        start = min(s.start for s in axis)
        made.append(Span(max(s.start + s.size for s in axis) - start, axis[0].jump, start, any(s.rough for s in axis)))
    return tuple(made)


def text(number: Fraction) -> str:
    """``12``, ``-1.5``, or with three digits behind the point."""
    return str(number.numerator) if number.denominator == 1 else f"{float(number):.3f}".rstrip("0")
