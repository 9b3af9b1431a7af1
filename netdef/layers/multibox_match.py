"""Which default boxes learn what: matching with true boxes, and the choice of those that count. Plain arrays, for
MultiBoxLoss.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netdef import kernels as K
from netdef.kernels.reference.boxes import box_areas

Array = np.ndarray

LEAST = 1e-6  # smaller overlaps are none
SMALLEST = 1e-5  # area of a box that suppression looks at
OUT = -2  # a default box that sticks out of the picture


class Matches(NamedTuple):
    """Pairs of a default box and a true one, by image, set of places and default box; arrays of int64."""

    image: Array
    box: Array
    set: Array
    """set of places: 0, or the class where each class has its own"""
    truth: Array


def match(overlaps: Array, out: Array, threshold: float | None) -> tuple[Array, Array]:
    """The true box of each default box (P), -1 for none and OUT where ``out`` (P, bool) says so; and its best overlap (P).

    ``overlaps`` is (G, P). First, as long as there is any overlap left: the pair with the largest one of all, each box
    once; of equal ones the first default box, then the first true box. Then, with a ``threshold``, each default box that is
    free goes to the true box that it overlaps most, if by at least that.
    """
    matched = np.where(out, OUT, -1)
    overlaps = np.where((overlaps > LEAST) & ~out, overlaps, 0)
    best = overlaps.max(axis=0, initial=0)
    count = len(overlaps)
    if not count:
        return matched, best
    free = overlaps.copy()
    at = free.argmax(axis=1)
    value = free[np.arange(count), at]
    while (value > 0).any():
        truth = np.lexsort((at, -value))[0]
        box = at[truth]
        matched[box], best[box] = truth, value[truth]
        free[truth], free[:, box], value[truth] = 0, 0, 0
        for other in np.flatnonzero((at == box) & (value > 0)):
            at[other] = free[other].argmax()
            value[other] = free[other, at[other]]
    if threshold is not None:
        near = np.flatnonzero((matched == -1) & (best > 0) & (best >= threshold))
        matched[near] = overlaps[:, near].argmax(axis=0)
    return matched, best


def sticks_out(boxes: Array) -> Array:
    """Which boxes (P, 4) do not lie wholly in the picture."""
    return np.asarray(((boxes < 0) | (boxes > 1) | np.isnan(boxes)).any(axis=1))


def overlaps_of(boxes: Array, truths: Array) -> Array:
    """(G, P)."""
    out = np.empty((len(truths), len(boxes)), boxes.dtype)
    K.box_overlaps(np.ascontiguousarray(truths), np.ascontiguousarray(boxes), out)
    return out


def hardest(losses: Array, eligible: Array, count: int, boxes: Array | None = None, threshold: float = 0,
            top_k: int = -1) -> Array:
    """The ``count`` eligible boxes (bool, P) with the largest losses (P), as bools; of equal ones the first.

    With ``boxes`` (P, 4) only those count that overlap none with a larger loss by more than ``threshold``, among the
    ``top_k`` of largest loss (-1: all).
    """
    chosen = np.flatnonzero(eligible)
    low = -losses[chosen]
    if boxes is None and 0 < count < len(chosen):  # leave out what is not among them before the rest is sorted
        near = low <= np.partition(low, count - 1)[count - 1]
        chosen, low = chosen[near], low[near]
    chosen = chosen[np.argsort(low, kind="stable")]
    if boxes is not None:
        chosen = chosen[:top_k] if top_k >= 0 else chosen
        chosen = chosen[box_areas(boxes[chosen]) >= SMALLEST]
        keep = np.zeros(len(chosen), np.uint8)
        K.nms(np.ascontiguousarray(boxes), chosen.astype(np.int32), np.array([0, len(chosen)], np.int32), threshold, 1.0, keep)
        chosen = chosen[keep.astype(bool)]
    picked = np.zeros(len(losses), bool)
    picked[chosen[:count]] = True
    return picked
