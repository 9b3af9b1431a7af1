"""ReLU6: a rectifier with a ceiling."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer
from netdef.layers.registry import register

CEILING = 6


@register("ReLU6")
class ReLU6(Layer):
    r"""Keeps values between 0 and 6, cuts larger ones down to 6, and scales negative ones by ``negative_slope``.

    Formula: y = min(max(x, 0), 6) + negative_slope * min(x, 0);  dx = dy where 0 < x < 6, negative_slope * dy where
    x <= 0, else 0.

    Shapes: bottom any shape, top the same. In place is allowed and usual.

    Numerical care: the derivative at exactly 0 is ``negative_slope``, at exactly 6 it is 0. In place, backward sees y, which
    lies in the same of the three ranges as x as long as the slope is not negative.

    Source: Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010; as a layer of Caffe: MobileNet-YOLO.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "relu1" type: "ReLU6" bottom: "data" top: "relu1" }
    """

    options_field = "relu6_param"
    in_place = "yes"
    backward_reads = frozenset({"tops"})

    def __init__(self, spec):
        super().__init__(spec)
        self.slope = self.options.negative_slope
        if self.slope < 0:
            self.in_place = "values"
            self.backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])

    def forward(self, ctx, bottoms, params, tops):
        x, y = bottoms[0].data, tops[0].data
        low = self.slope * np.minimum(x, 0) if self.slope else None
        np.clip(x, 0, CEILING, out=y)
        if low is not None:
            y += low

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            seen = bottoms[0].data if self.slope < 0 else tops[0].data
            slopes = np.where(seen > 0, seen < CEILING, seen.dtype.type(self.slope))
            np.multiply(tops[0].diff, slopes, out=bottoms[0].diff)
