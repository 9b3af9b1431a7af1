"""Nms: the peaks of maps."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer
from netdef.layers.constraints import positive
from netdef.layers.registry import register

REACH = 3  # cells on each side that a peak's middle is taken over


@register("Nms")
class Nms(Layer):
    r"""Lists the peaks of maps, each with its place to a fraction of a cell and its height.

    Formula: a cell is a peak if it is above ``threshold`` and above its eight neighbours; the two outermost rows and columns
    at the top and left, and the last ones, hold none. Its place is the mean of the cells at most 3 away, each weighted with
    its value where that is above 0; row and column 0 do not count.

    Shapes: maps (N, C, H, W), of which the first ``num_parts`` are looked at; top (N, num_parts, max_peaks + 1, 3). Row 0
    holds the number of peaks, which may be larger than ``max_peaks``; row i the i-th peak in scan order as (x, y, value). Rows
    without a peak are zeros. There is no gradient.

    Numerical care: rtpose takes the width for the height where it ends the sum at the lower border; here it is the height.

    Source: Cao, Simon, Wei and Sheikh, Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields, CVPR 2017; its
    Caffe (caffe_rtpose), whose files give its options number 149.

    Example::

        layer { name: "data" type: "Input" top: "maps" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }
        layer { name: "peaks" type: "Nms" bottom: "maps" top: "peaks" nms_param { num_parts: 2 max_peaks: 5 } }
    """

    options_field = "nms_param"
    differentiable = False
    backward_reads = frozenset()
    constraints = {"max_peaks": positive(), "num_parts": positive()}

    def infer(self, bottom_shapes):
        shape, o = tuple(bottom_shapes[0]), self.options
        if len(shape) != 4 or shape[1] < o.num_parts:
            raise self.spec.shape_error(f"expected at least num_parts {o.num_parts} maps (N, C, H, W), got {shape}", 0)
        return Inferred(tops=[(shape[0], o.num_parts, o.max_peaks + 1, 3)])

    def forward(self, ctx, bottoms, params, tops):
        o, peaks = self.options, tops[0].data
        peaks[...] = 0
        for n, c in np.ndindex(*peaks.shape[:2]):
            plane = bottoms[0].data[n, c]
            places = _peaks(plane, o.threshold)
            peaks[n, c, 0, 0] = len(places)
            for i, (y, x) in enumerate(places[: o.max_peaks], 1):
                peaks[n, c, i] = (*_middle(plane, y, x), plane[y, x])


def _peaks(plane: np.ndarray, threshold: float) -> np.ndarray:
    """Rows and columns of a map's peaks (P, 2), in scan order."""
    if min(plane.shape) < 4:
        return np.zeros((0, 2), int)
    inner = plane[2:-1, 2:-1]
    high = inner > threshold
    for y, x in np.ndindex(3, 3):
        if (y, x) != (1, 1):
            high &= inner > plane[1 + y: plane.shape[0] - 2 + y, 1 + x: plane.shape[1] - 2 + x]
    return np.argwhere(high) + 2


def _middle(plane: np.ndarray, y: int, x: int) -> tuple[float, float]:
    """Column and row of the weighted mean of the cells around a peak."""
    top, left = max(1, y - REACH), max(1, x - REACH)
    part = np.maximum(plane[top: y + REACH + 1, left: x + REACH + 1].astype(np.float64), 0)
    total = part.sum()
    if not total:  # a peak that is not above 0 has no such mean
        return x, y
    rows, columns = np.arange(part.shape[0]) + top, np.arange(part.shape[1]) + left
    return (part.sum(0) @ columns) / total, (part.sum(1) @ rows) / total
