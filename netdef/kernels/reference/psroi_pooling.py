"""Average pooling over regions, each bin from channels of its own, by the rules of R-FCN.

A region is (image, x1, y1, x2, y2) in the picture's pixels. Its corners are rounded (halves away from 0) and then scaled, the
second one counting with its whole pixel; it is at least 0.1 cells wide. Bin i of g goes from floor(start + i * length / g)
to ceil(start + (i + 1) * length / g), clipped to the feature map. All of this in the dtype of the values, as there.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.reference.roi_pooling import Bins, rounded

Array = np.ndarray


def psroi_bins(rois: Array, spatial_scale: float, group: int, size: tuple[int, int]) -> Bins:
    """The bins of rois (R, 5), ``group`` on each side, on a feature map of ``size`` (height, width)."""
    real = rois.dtype.type
    corners = rounded(rois[:, 1:])
    corners[:, 2:] += real(1)
    left, top, right, bottom = (corners * real(spatial_scale)).T
    return Bins(rois[:, 0].astype(np.int64), _edges(top, bottom, group, size[0]), _edges(left, right, group, size[1]))


def _edges(first: Array, last: Array, group: int, size: int) -> Array:
    real = first.dtype.type
    length = (np.maximum(last - first, real(0.1)) / real(group))[:, None]
    steps = np.arange(group, dtype=first.dtype)
    begin, end = np.floor(steps * length + first[:, None]), np.ceil((steps + real(1)) * length + first[:, None])
    return np.clip(np.stack([begin, end], axis=2), 0, size).astype(np.int64)


def psroi_pool_forward(x: Array, rois: Array, spatial_scale: float, out: Array) -> None:
    """out[r, d, i, j] = the mean of channel (d g + i) g + j over bin (i, j) of region r, 0 where the bin is empty.

    x is (N, D g g, H, W), rois (R, 5), out (R, D, g, g).
    """
    group = out.shape[2]
    bins = psroi_bins(rois, spatial_scale, group, x.shape[2:])
    parts = x.reshape(len(x), out.shape[1], group, group, *x.shape[2:])
    out[...] = 0
    for inside, h, w in _cells(bins, x.shape[2:]):
        i, j = np.arange(group)[:, None], np.arange(group)
        values = np.moveaxis(parts[bins.image[:, None, None], :, i, j, h, w], 3, 1)
        np.add(out, values, out=out, where=inside[:, None])
    out /= _areas(bins).astype(out.dtype)[:, None]


def psroi_pool_backward(dy: Array, rois: Array, spatial_scale: float, dx: Array) -> None:
    """dx = 0, then dy (R, D, g, g) over the bin's size is added to each cell of the bin."""
    group = dy.shape[2]
    bins = psroi_bins(rois, spatial_scale, group, dx.shape[2:])
    parts = dx.reshape(len(dx), dy.shape[1], group, group, *dx.shape[2:])
    parts[...] = 0
    places = np.moveaxis(parts, 1, 5)  # (N, g, g, H, W, D)
    share = np.moveaxis(dy / _areas(bins).astype(dy.dtype)[:, None], 1, 3)  # (R, g, g, D)
    i, j = np.broadcast_arrays(np.arange(group)[:, None], np.arange(group))
    for inside, h, w in _cells(bins, dx.shape[2:]):
        r, a, b = np.nonzero(inside)
        h, w = (np.broadcast_to(v, inside.shape)[inside] for v in (h, w))
        np.add.at(places, (bins.image[r], i[a, b], j[a, b], h, w), share[r, a, b])


def _cells(bins: Bins, size: tuple[int, int]):
    """The k-th cell of all bins at once, for each k: whether it lies inside (R, g, g), its row and its column."""
    (top, bottom), (left, right) = (np.moveaxis(e, 2, 0) for e in (bins.rows, bins.columns))
    for k in range(int((bottom - top).max(initial=0))):
        for m in range(int((right - left).max(initial=0))):
            row, column = (top + k)[:, :, None], (left + m)[:, None, :]
            inside = (row < bottom[:, :, None]) & (column < right[:, None, :])
            yield inside, np.minimum(row, size[0] - 1), np.minimum(column, size[1] - 1)


def _areas(bins: Bins) -> Array:
    """The number of cells in each bin (R, g, g), at least 1."""
    height, width = (np.maximum(e[..., 1] - e[..., 0], 0) for e in (bins.rows, bins.columns))
    return np.maximum(height[:, :, None] * width[:, None, :], 1)
