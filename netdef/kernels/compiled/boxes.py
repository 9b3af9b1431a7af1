"""Decoding and overlaps of boxes, default boxes in parallel. Rules and shapes: see the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled.exponential import exp32
from netdef.kernels.jit import helper, kernel, prange
from netdef.kernels.reference.boxes import CENTER_SIZE, CORNER_SIZE

Array = np.ndarray

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)


@helper
def area(box):
    """Of a box (4), 0 where a side is turned round."""
    width = box[2] - box[0]
    height = box[3] - box[1]
    return ZERO if width < ZERO or height < ZERO else width * height


@helper
def overlap(a, area_a, b, area_b):
    """Intersection over union of two boxes (4) with their areas."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width > ZERO and height > ZERO:
        shared = width * height
        share = shared / (area_a + area_b - shared)
        return share if share > ZERO else ZERO
    return ZERO


@kernel("f[4] f[2] f[2] i f![4]")
def _decode(t, priors, variances, code, out):
    items, boxes, sets, _ = t.shape
    for task in prange(items * boxes):
        n = task // boxes
        i = task % boxes
        p = priors[i]
        v = variances[i]
        width = p[2] - p[0]
        height = p[3] - p[1]
        for k in range(sets):
            x = t[n, i, k]
            y = out[n, i, k]
            if code == CENTER_SIZE:
                across = (p[0] + p[2]) * HALF + v[0] * x[0] * width
                down = (p[1] + p[3]) * HALF + v[1] * x[1] * height
                half_width = exp32(v[2] * x[2]) * width * HALF
                half_height = exp32(v[3] * x[3]) * height * HALF
                y[0] = across - half_width
                y[1] = down - half_height
                y[2] = across + half_width
                y[3] = down + half_height
            else:
                w = width if code == CORNER_SIZE else ONE
                h = height if code == CORNER_SIZE else ONE
                y[0] = p[0] + v[0] * x[0] * w
                y[1] = p[1] + v[1] * x[1] * h
                y[2] = p[2] + v[2] * x[2] * w
                y[3] = p[3] + v[3] * x[3] * h


@kernel("f[2] f[2] f![2]")
def _overlaps(a, b, out):
    for i in prange(a.shape[0]):
        own = area(a[i])
        for j in range(b.shape[0]):
            out[i, j] = overlap(a[i], own, b[j], area(b[j]))


def decode_boxes(t: Array, priors: Array, variances: Array, code: int, out: Array) -> None:
    """See the reference."""
    _decode(t, priors, variances, code, out)


def box_overlaps(a: Array, b: Array, out: Array) -> None:
    """See the reference."""
    _overlaps(a, b, out)
