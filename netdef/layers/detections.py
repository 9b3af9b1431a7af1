"""What SSD's layers share: true boxes and default boxes as they stand in blobs. No layer types here."""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from netdef.errors import DataError
from netdef.layers.base import LayerSpec, Shape

TRUTH = 8  # item, class, instance, xmin, ymin, xmax, ymax, difficult
FOUND = 7  # item, class, score, xmin, ymin, xmax, ymax


class Truth(NamedTuple):
    """True boxes, in the order of their rows."""

    item: np.ndarray
    """(G) int64: which picture of the batch"""
    label: np.ndarray
    """(G) int64"""
    boxes: np.ndarray
    """(G, 4)"""
    difficult: np.ndarray
    """(G) bool"""

    def where(self, keep: np.ndarray) -> Truth:
        """Those that ``keep`` (G) marks."""
        return Truth(*(a[keep] for a in self))


def check_rows(spec: LayerSpec, shape: Shape, bottom: int, width: int) -> None:
    """Raise ShapeError unless a bottom has rows of ``width`` numbers, (1, 1, R, width) or (R, width)."""
    if len(shape) < 2 or shape[-1] != width or math.prod(shape[:-2]) != 1:
        what = "true boxes" if width == TRUTH else "detections"
        raise spec.shape_error(f"expected {what} as (1, 1, R, {width}), got '{spec.message.bottom[bottom]}' of shape "
                               f"{tuple(shape)}", bottom)


def read_truth(spec: LayerSpec, rows: np.ndarray, bottom: int, classes: int, background: int,
               items: int | None = None) -> Truth:
    """The true boxes in a blob of rows of 8; rows of item -1 stand for nothing.

    Raises DataError where an item is none of the batch (of ``items``, None: not known) or a label no class of things.
    """
    rows = rows.reshape(-1, TRUTH)
    rows = rows[rows[:, 0] != -1]
    item, label = rows[:, 0], rows[:, 1]
    good = (item >= 0) & (np.floor(item) == item) & (label >= 0) & (label < classes) & (np.floor(label) == label)
    good &= label != background
    if items is not None:
        good &= item < items
    if not good.all():
        at = int(np.argmin(good))
        last = "" if items is None else f" from 0 to {items - 1}"
        raise DataError(f"{spec.who}: true boxes '{spec.message.bottom[bottom]}': expected a picture of the batch{last} and "
                        f"a class from 0 to {classes - 1} other than the background {background}, got picture "
                        f"{item[at]:g} and class {label[at]:g}", where=spec.span("bottom", bottom),
                        hint="num_classes counts the background, too" if label[at] >= classes else "")
    return Truth(item.astype(np.int64), label.astype(np.int64), rows[:, 3:7], rows[:, 7] != 0)


def priors_of(spec: LayerSpec, shape: Shape, bottom: int) -> int:
    """How many default boxes a bottom (1, 2, P 4) has. Raises ShapeError."""
    if len(shape) < 2 or shape[0] != 1 or shape[1] != 2 or math.prod(shape[2:]) % 4:
        raise spec.shape_error(f"expected default boxes as (1, 2, 4 P), got '{spec.message.bottom[bottom]}' of shape "
                               f"{tuple(shape)}", bottom, hint="PriorBox layers make them; join several along axis 2")
    return math.prod(shape[2:]) // 4


def check_predictions(spec: LayerSpec, shape: Shape, bottom: int, priors: int, each: int, what: str) -> None:
    """Raise ShapeError unless a bottom (N, ...) has ``each`` numbers for each default box of each item."""
    if not shape or math.prod(shape[1:]) != priors * each:
        raise spec.shape_error(f"expected {what} for {priors} default boxes, {priors} x {each} = {priors * each} numbers an "
                               f"item, got '{spec.message.bottom[bottom]}' of shape {tuple(shape)}", bottom)


def split_priors(data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Default boxes and their variances, each (P, 4)."""
    boxes, variances = data.reshape(2, -1, 4)
    return boxes, variances
