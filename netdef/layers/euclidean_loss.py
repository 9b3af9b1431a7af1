"""EuclideanLoss: half the squared distance."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, exactly
from netdef.layers.losses import check_first_axes
from netdef.layers.registry import register


@register("EuclideanLoss")
class EuclideanLoss(Layer):
    r"""Half the sum of squared differences, divided by the number of items; the loss of regression.

    Formula: y = sum of (a - b)^2 / (2 N);  da = w (a - b) / N,  db = -da, with the loss weight w.

    Shapes: bottoms (N, ...) with the same N and as many values an item; top: a scalar (). Both bottoms get a gradient.

    Numerical care: N is the size of axis 0, not the number of values: a picture of a million pixels has a million times
    the loss of one pixel, and wants a learning rate to match. The sum is formed in double precision.

    Source: BVLC Caffe, euclidean_loss_layer.

    Example::

        layer { name: "data" type: "Input" top: "guess" top: "truth" input_param { shape { dim: 4 dim: 2 } } }
        layer { name: "loss" type: "EuclideanLoss" bottom: "guess" bottom: "truth" top: "loss" }
    """

    bottoms = exactly(2)
    is_loss = True
    backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        a, b = (tuple(s) for s in bottom_shapes)
        check_first_axes(self.spec, a, b)
        if math.prod(a[1:]) != math.prod(b[1:]):
            names = self.spec.message.bottom
            raise self.spec.shape_error(
                f"expected as many values an item, got '{names[0]}' of shape {a} ({math.prod(a[1:])} an item) and "
                f"'{names[1]}' of shape {b} ({math.prod(b[1:])} an item)", 1)
        return Inferred(tops=[()], scratch={"difference": Array(a)})

    def forward(self, ctx, bottoms, params, tops):
        a, difference = bottoms[0].data, ctx.scratch["difference"]
        with np.errstate(invalid="ignore"):  # inf - inf is NaN, as it should be
            np.subtract(a, bottoms[1].data.reshape(a.shape), out=difference)
        tops[0].data[...] = K.sum_squares(difference) / (2 * max(1, len(a)))

    def backward(self, ctx, tops, params, bottoms, need):
        for i, bottom in enumerate(bottoms):
            if need.bottoms[i]:
                own, dx = bottom.data, bottom.diff
                with np.errstate(invalid="ignore"):
                    np.subtract(own, bottoms[1 - i].data.reshape(own.shape), out=dx)
                K.scale(float(tops[0].diff) / max(1, len(own)), dx, dx)
