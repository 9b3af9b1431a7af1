"""CoordinateError and BoxIoU: how well guessed places and boxes fit."""
from __future__ import annotations

import math

import numpy as np

from netdef.layers.base import Inferred, Layer, Shape, between, exactly
from netdef.layers.constraints import Constraint
from netdef.layers.losses import check_same_items
from netdef.layers.registry import register

ROOT_MEAN_SQUARE = 2  # CoordinateErrorParameter.L2
CENTER_SIZE, CORNER_SIZE = 2, 3  # BoxIoUParameter.Code


@register("CoordinateError")
class CoordinateError(Layer):
    r"""How far off each coordinate is on average: one number for each value of an item, so that one sees which is bad.

    Formula: L1: y_k = mean over the batch of |a_k - b_k|;  L2: y_k = sqrt(mean over the batch of (a_k - b_k)^2); the
    second top is the mean over k, for L2 the root of the mean square of all.

    Shapes: a and b (N, ...) with as many values an item, K of them in memory order. Tops: (K), and optionally a
    scalar (). There is no gradient.

    Numerical care: the numbers have the unit of the data. A NaN shows in its own coordinate and in the second top. An
    empty batch gives 0.

    Source: the mean absolute error and the root mean square error, by coordinate.

    Example::

        layer { name: "data" type: "Input" top: "guess" top: "truth" input_param { shape { dim: 8 dim: 4 } } }
        layer { name: "error" type: "CoordinateError" bottom: "guess" bottom: "truth" top: "error" top: "mean_error" }
    """

    options_field = "coordinate_error_param"
    bottoms = exactly(2)
    tops = between(1, 2)
    differentiable = False
    backward_reads = frozenset()

    def infer(self, bottom_shapes):
        a, b = (tuple(s) for s in bottom_shapes)
        check_same_items(self.spec, a, b)
        return Inferred(tops=[(math.prod(a[1:]),), ()][: self.spec.num_tops])

    def forward(self, ctx, bottoms, params, tops):
        n, values = len(bottoms[0].data), tops[0].data.size
        with np.errstate(invalid="ignore"):  # inf - inf is NaN, as it should be
            off = bottoms[0].data.reshape(n, values) - bottoms[1].data.reshape(n, values)
        squared = self.options.norm == ROOT_MEAN_SQUARE
        means = (off * off if squared else np.abs(off)).sum(axis=0, dtype=np.float64) / max(1, n)
        tops[0].data[...] = np.sqrt(means) if squared else means
        if len(tops) > 1:
            mean = means.sum() / max(1, values)
            tops[1].data[...] = np.sqrt(mean) if squared else mean


@register("BoxIoU")
class BoxIoU(Layer):
    r"""How well boxes agree: intersection over union, 1 for equal boxes and 0 for boxes apart.

    Formula: y_i = |A_i and B_i| / (|A_i| + |B_i| - |A_i and B_i|), 0 where that is 0 / 0;  top 0 = mean of y_i;  top 1 =
    share of boxes with y_i >= threshold;  top 2 = y_i.

    Shapes: a and b (N, ...) with as many values an item; the last axis longer than 1 holds boxes of four numbers, as
    (N, 4), (N, 4 K) or (N, 4, 1, 1). Tops: (), and optionally () and (number of boxes). There is no gradient.

    Numerical care: a box whose sides are negative is empty. The result does not depend on the unit of the coordinates,
    except for ``whole_pixels``, which wants pixels. A NaN among a box's numbers gives NaN. No boxes give 0.

    Source: Jaccard, 1901; Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2010.

    Example::

        layer { name: "data" type: "Input" top: "guess" top: "truth" input_param { shape { dim: 8 dim: 4 } } }
        layer { name: "iou" type: "BoxIoU" bottom: "guess" bottom: "truth" top: "iou" top: "found" top: "each"
                box_iou_param { code: CENTER_SIZE threshold: 0.5 } }
    """

    options_field = "box_iou_param"
    bottoms = exactly(2)
    tops = between(1, 3)
    differentiable = False
    backward_reads = frozenset()
    constraints = {"threshold": Constraint(0, 1)}

    def __init__(self, spec):
        super().__init__(spec)
        if self.options.whole_pixels and self.options.code in (CENTER_SIZE, CORNER_SIZE):
            raise spec.error("belongs to the code CORNER: other codes give sizes themselves", "whole_pixels")

    def infer(self, bottom_shapes):
        a, b = (tuple(s) for s in bottom_shapes)
        check_same_items(self.spec, a, b)
        for i, shape in enumerate((a, b)):
            self._check_fours(shape, i)
        return Inferred(tops=[(), (), (math.prod(a) // 4,)][: self.spec.num_tops])

    def _check_fours(self, shape: Shape, bottom: int) -> None:
        long = [n for n in shape[1:] if n != 1]
        if not long or long[-1] % 4:
            raise self.spec.shape_error(f"expected boxes of four numbers along the last axis, got "
                                        f"'{self.spec.message.bottom[bottom]}' of shape {shape}", bottom)

    def forward(self, ctx, bottoms, params, tops):
        with np.errstate(invalid="ignore"):  # infinite coordinates give NaN
            each = self._agreement(*(self._corners(b.data) for b in bottoms))
        tops[0].data[...] = each.sum() / max(1, each.size)
        if len(tops) > 1:
            tops[1].data[...] = (each >= self.options.threshold).sum() / max(1, each.size)
        if len(tops) > 2:
            tops[2].data[...] = each

    def _corners(self, data):
        """(low, high), each (boxes, 2) in double precision."""
        boxes = data.reshape(-1, 4).astype(np.float64)
        first, second = boxes[:, :2], boxes[:, 2:]
        if self.options.code == CENTER_SIZE:
            return first - second / 2, first + second / 2
        if self.options.code == CORNER_SIZE:
            return first, first + second
        return first, second + float(self.options.whole_pixels)

    @staticmethod
    def _agreement(a, b):
        shared = _area(np.maximum(a[0], b[0]), np.minimum(a[1], b[1]))
        union = _area(*a) + _area(*b) - shared
        return shared / np.where(union == 0, 1, union)


def _area(low, high):
    return np.maximum(high - low, 0).prod(axis=1)
