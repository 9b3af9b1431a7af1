"""What losses share: the number they divide by, and labels that are numbers of classes. No layer types here."""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from netdef.errors import DataError
from netdef.layers.base import LayerSpec, Shape

MODES = {0: "FULL", 1: "VALID", 2: "BATCH_SIZE", 3: "NONE", 50000: "PRE_FIXED"}


class Normalization(NamedTuple):
    """How a loss is scaled (``mode``, one of MODES), which label does not count (``ignore``, None: all do), and the divisor
    of PRE_FIXED (``fixed``)."""

    mode: str
    ignore: int | None
    fixed: float = 1

    @classmethod
    def read(cls, spec: LayerSpec, default: str) -> Normalization:
        """From a layer's ``loss_param``; the legacy ``normalize`` counts only where ``normalization`` is not given."""
        loss = spec.message.loss_param
        if loss.HasField("normalization"):
            mode = MODES[loss.normalization]
        elif loss.HasField("normalize"):
            mode = "VALID" if loss.normalize else "BATCH_SIZE"
        else:
            mode = default
        return cls(mode, loss.ignore_label if loss.HasField("ignore_label") else None, loss.pre_fixed_normalizer)

    def divisor(self, outer: int, inner: int, valid: int) -> float:
        """What the summed loss of ``outer`` items with ``inner`` places each is divided by; never below 1.

        FULL: all places; VALID: those not ignored; BATCH_SIZE: the items; NONE: 1; PRE_FIXED: the number written.
        """
        count = {"FULL": outer * inner, "VALID": valid, "BATCH_SIZE": outer, "NONE": 1,
                 "PRE_FIXED": self.fixed}[self.mode]
        return max(1, count)


def check_first_axes(spec: LayerSpec, a: Shape, b: Shape) -> None:
    """Raise ShapeError unless both bottoms have a first axis, and of the same size."""
    if not a or not b or a[0] != b[0]:
        names = spec.message.bottom
        raise spec.shape_error(f"expected bottoms with as many items (axis 0), got '{names[0]}' of shape {a} and "
                               f"'{names[1]}' of shape {b}", 1)


def check_label_count(spec: LayerSpec, scores: Shape, labels: Shape, axis: int,
                      hint: str = "labels are class numbers, not one-hot vectors") -> None:
    """Raise ShapeError unless there is one label for each place of ``scores`` without its axis ``axis`` (0 or more)."""
    places = (*scores[:axis], *scores[axis + 1:])
    if math.prod(places) != math.prod(labels):
        names = spec.message.bottom
        raise spec.shape_error(
            f"expected one label for each of the {math.prod(places)} places {places} of '{names[0]}' (shape {scores} "
            f"without its class axis {axis}), got '{names[1]}' of shape {labels} with {math.prod(labels)} values", 1,
            hint=hint)


def check_item_labels(spec: LayerSpec, items: Shape, labels: Shape, bottom: int = 1) -> None:
    """Raise ShapeError unless bottom ``bottom`` has one value for each item (axis 0) of bottom 0."""
    if not items or math.prod(labels) != items[0]:
        names = spec.message.bottom
        raise spec.shape_error(f"expected one label for each item of '{names[0]}' (shape {items}), got "
                               f"'{names[bottom]}' of shape {labels}", bottom)


def check_same_items(spec: LayerSpec, first: Shape, other: Shape, bottom: int = 1) -> None:
    """Raise ShapeError unless bottom ``bottom`` has as many items (axis 0) as bottom 0, and as many values an item."""
    if not first or not other or first[0] != other[0] or math.prod(first[1:]) != math.prod(other[1:]):
        names = spec.message.bottom
        raise spec.shape_error(f"expected as many items (axis 0) and as many values an item, got '{names[0]}' of shape "
                               f"{first} and '{names[bottom]}' of shape {other}", bottom)


def check_labels(spec: LayerSpec, labels: np.ndarray, classes: int, ignore: int | None) -> None:
    """Raise DataError unless each label (any shape) is a whole number from 0 to classes - 1, or ``ignore``."""
    good = (labels >= 0) & (labels < classes) & (np.floor(labels) == labels)
    if ignore is not None:
        good |= labels == ignore
    if good.all():
        return
    place = tuple(int(k) for k in np.argwhere(~good)[0])
    inside = f", place {place[1:]}" if any(n > 1 for n in labels.shape[1:]) else ""
    item = f"item {place[0]} of the batch{inside}" if place else "its only value"
    also = "" if ignore is None else f" or {ignore} (ignore_label)"
    error = DataError(f"{spec.who}: label blob '{spec.message.bottom[1]}', {item}: expected a whole number from 0 to "
                      f"{classes - 1}{also}, got {labels[place]:.9g}", where=spec.span("bottom", 1),
                      hint="the number of classes is the size of the scores' class axis" if labels[place] >= classes
                      else "")
    error.item = place[0] if place else None
    raise error
