"""Boxes as (xmin, ymin, xmax, ymax): decoding, encoding and overlaps, by the rules of SSD.

Three codes say how four numbers t move a default box p, v being its variances: CORNER p + v t; CENTER_SIZE centre + v t size
and size exp(v t); CORNER_SIZE p + v t size. The overlap is intersection over union; a box whose sides are turned round is
empty, and a box with a NaN in it overlaps nothing.
"""
from __future__ import annotations

import numpy as np

Array = np.ndarray

CORNER, CENTER_SIZE, CORNER_SIZE = 1, 2, 3  # BoxCode.Type


def decode_boxes(t: Array, priors: Array, variances: Array, code: int, out: Array) -> None:
    """out = the boxes that the numbers t make of the default boxes.

    t and out are (N, P, L, 4), L being sets of places for each default box; priors and variances (P, 4).
    """
    p, v = priors[:, None, :], variances[:, None, :]
    size = p[..., 2:] - p[..., :2]
    with np.errstate(invalid="ignore", over="ignore"):  # numbers of a net that learns wildly
        if code == CENTER_SIZE:
            middle = (p[..., :2] + p[..., 2:]) / 2 + v[..., :2] * t[..., :2] * size
            half = np.exp(v[..., 2:] * t[..., 2:]) * size / 2
            np.subtract(middle, half, out=out[..., :2])
            np.add(middle, half, out=out[..., 2:])
        else:
            np.multiply(v, t, out=out)
            if code == CORNER_SIZE:
                out *= np.concatenate((size, size), axis=-1)
            out += p


def encode_boxes(boxes: Array, priors: Array, variances: Array, code: int, out: Array) -> None:
    """out = the numbers that make the boxes of the default boxes: the inverse of ``decode_boxes``. All are (M, 4)."""
    size = priors[:, 2:] - priors[:, :2]
    if code == CENTER_SIZE:
        out[:, :2] = (boxes[:, :2] + boxes[:, 2:] - priors[:, :2] - priors[:, 2:]) / 2 / size
        out[:, 2:] = np.log((boxes[:, 2:] - boxes[:, :2]) / size)
    else:
        np.subtract(boxes, priors, out=out)
        if code == CORNER_SIZE:
            out /= np.concatenate((size, size), axis=-1)
    out /= variances


def box_areas(boxes: Array) -> Array:
    """The areas of boxes (..., 4); 0 where a side is turned round."""
    width, height = boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]
    return np.where((width < 0) | (height < 0), 0, width * height)


def box_overlaps(a: Array, b: Array, out: Array) -> None:
    """out[i, j] = the overlap of a[i] and b[j], 0 to 1; a is (A, 4), b (B, 4), out (A, B)."""
    a = a[:, None, :]
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        width = np.minimum(a[..., 2], b[:, 2]) - np.maximum(a[..., 0], b[:, 0])
        height = np.minimum(a[..., 3], b[:, 3]) - np.maximum(a[..., 1], b[:, 1])
        shared = width * height
        np.divide(shared, box_areas(a) + box_areas(b) - shared, out=out)
    np.copyto(out, 0, where=~((width > 0) & (height > 0) & (out > 0)))
