"""Reduction: one number of many."""
from __future__ import annotations

import math

import numpy as np

from netdef.layers.base import Array, Inferred, Layer, check_axis
from netdef.layers.registry import register

SUM, ASUM, SUMSQ, MEAN = 1, 2, 3, 4


@register("Reduction")
class Reduction(Layer):
    r"""Makes one number of all values from ``axis`` on: their sum, mean, sum of magnitudes or sum of squares.

    Formula, D the number of values reduced to one: SUM: y = coeff * sum of x, dx = coeff * dy;
    MEAN: y = coeff / D * sum of x, dx = coeff / D * dy;  ASUM: y = coeff * sum of |x|, dx = coeff * sign(x) * dy;
    SUMSQ: y = coeff * sum of x^2, dx = 2 * coeff * x * dy.

    Shapes: bottom (items..., rest...), top (items...): the axes from ``axis`` on are gone. Axis 0 gives a scalar (), which
    makes a loss with ``loss_weight``.

    Numerical care: sign(0) is 0. The mean of no values is 0.

    Source: BVLC Caffe, reduction_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 } } }
        layer { name: "energy" type: "Reduction" bottom: "data" top: "energy"
                reduction_param { operation: SUMSQ axis: 1 coeff: 0.5 } }
    """

    options_field = "reduction_param"

    def __init__(self, spec):
        super().__init__(spec)
        self.operation = self.options.operation
        self.linear = self.operation in (SUM, MEAN)
        self.backward_reads = frozenset() if self.linear else frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        axis = check_axis(self.spec, self.options.axis, len(shape))
        return Inferred(tops=[shape[:axis]], scratch={} if self.linear else {"each": Array(shape)})

    def forward(self, ctx, bottoms, params, tops):
        x, y = bottoms[0].data, tops[0].data
        if not self.linear:
            each = ctx.scratch["each"]
            x = np.abs(x, out=each) if self.operation == ASUM else np.square(x, out=each)
        np.sum(x.reshape(*y.shape, math.prod(x.shape[y.ndim:])), axis=-1, out=y)
        y *= self._factor(bottoms[0].shape, y.ndim)

    def backward(self, ctx, tops, params, bottoms, need):
        if not need.bottoms[0]:
            return
        x, dy, dx = bottoms[0].data, tops[0].diff, bottoms[0].diff
        factor = self._factor(dx.shape, dy.ndim)
        spread = dy.reshape(*dy.shape, *(1,) * (dx.ndim - dy.ndim))
        if self.linear:
            np.multiply(spread, factor, out=dx)
            return
        if self.operation == ASUM:
            np.sign(x, out=dx)
        else:
            np.multiply(x, 2, out=dx)
        dx *= spread
        dx *= factor

    def _factor(self, shape: tuple[int, ...], kept: int) -> float:
        """coeff, over the number of values for MEAN."""
        return self.options.coeff / (max(1, math.prod(shape[kept:])) if self.operation == MEAN else 1)
