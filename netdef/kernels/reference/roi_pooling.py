"""Max pooling over a grid laid on each region of interest, by the rules of py-faster-rcnn.

A region is (image, x1, y1, x2, y2) in the picture's pixels. Its corners are scaled and rounded (halves away from 0),
both ends count, and it is at least one cell high and wide. Bin i of P goes from floor(i * length / P) to ceil((i + 1) *
length / P), so neighbouring bins may overlap; then it is clipped to the feature map. All of this in the dtype of the
values, as there. The first maximum in scan order wins; a NaN is never chosen; an empty bin gives 0 and the mask -1. """
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from netdef.kernels.reference.pooling import LOWEST

Array = np.ndarray
Pair = tuple[int, int]


class Bins(NamedTuple):
    """Where each region's bins begin and end (behind the last), as int64."""

    image: Array
    """(R,)"""
    rows: Array
    """(R, PH, 2)"""
    columns: Array
    """(R, PW, 2)"""


def roi_bins(rois: Array, spatial_scale: float, pooled: Pair, size: Pair) -> Bins:
    """The bins of rois (R, 5) on a feature map of ``size`` (height, width)."""
    corners = rounded(rois[:, 1:] * rois.dtype.type(spatial_scale))
    left, top, right, bottom = corners.T
    return Bins(rois[:, 0].astype(np.int64), _edges(top, bottom, pooled[0], size[0]),
                _edges(left, right, pooled[1], size[1]))


def rounded(x: Array) -> Array:
    """To the nearest whole number, halves away from 0 (np.round takes the even one)."""
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.sign(x), whole)


def _edges(first: Array, last: Array, pooled: int, size: int) -> Array:
    real = first.dtype.type
    length = np.maximum(last - first + real(1), real(1)) / real(pooled)
    steps = np.arange(pooled, dtype=first.dtype)
    begin = np.floor(steps * length[:, None]) + first[:, None]
    end = np.ceil((steps + 1) * length[:, None]) + first[:, None]
    return np.clip(np.stack([begin, end], axis=2), 0, size).astype(np.int64)


def roi_pool_forward(x: Array, rois: Array, spatial_scale: float, out: Array, mask: Array) -> None:
    """out = the largest value of each bin, mask = its flat index in the plane (int32), or -1.

    x is (N, C, H, W), rois (R, 5), out and mask (R, C, PH, PW).
    """
    bins = roi_bins(rois, spatial_scale, out.shape[2:], x.shape[2:])
    (top, bottom), (left, right) = (np.moveaxis(e, 2, 0) for e in (bins.rows, bins.columns))
    filled = ((bottom > top)[:, :, None] & (right > left)[:, None, :])[:, None]
    out[...] = np.where(filled, LOWEST, 0)
    mask[...] = -1
    image = bins.image[:, None, None]
    for i in range(int((bottom - top).max(initial=0))):
        for j in range(int((right - left).max(initial=0))):
            row, column = (top + i)[:, :, None], (left + j)[:, None, :]
            inside = ((row < bottom[:, :, None]) & (column < right[:, None, :]))[:, None]
            h, w = np.minimum(row, x.shape[2] - 1), np.minimum(column, x.shape[3] - 1)
            candidate = np.moveaxis(x[image, :, h, w], 3, 1)
            better = inside & (candidate > out)
            np.copyto(out, candidate, where=better)
            np.copyto(mask, (h * x.shape[3] + w)[:, None].astype(np.int32), where=better)


def roi_pool_backward(dy: Array, mask: Array, rois: Array, dx: Array) -> None:
    """dx = 0, then each dy (R, C, PH, PW) is added at its mask's place in its region's image; -1 passes nothing."""
    _, channels, height, width = dx.shape
    plane = height * width
    first = rois[:, 0].astype(np.int64)[:, None] * channels + np.arange(channels)
    at = (mask.reshape(*mask.shape[:2], math.prod(mask.shape[2:])) + (first * plane)[:, :, None]).reshape(-1)
    hit = mask.reshape(-1) >= 0
    summed = np.bincount(at[hit], weights=dy.reshape(-1)[hit], minlength=dx.size)
    dx[...] = summed.reshape(dx.shape)
