"""AbsVal: the absolute value."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer
from netdef.layers.registry import register


@register("AbsVal")
class AbsVal(Layer):
    r"""Drops the sign of every value.

    Formula: y = |x|;  dx = dy * sign(x), with sign(0) = 0.

    Shapes: bottom any shape, top the same. In place is refused, as in Caffe: the gradient needs the signs.

    Numerical care: the derivative at exactly 0 is 0. NaN stays NaN.

    Source: BVLC Caffe, absval_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "size" type: "AbsVal" bottom: "data" top: "size" }
    """

    backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])

    def forward(self, ctx, bottoms, params, tops):
        np.abs(bottoms[0].data, out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            dx = bottoms[0].diff
            np.sign(bottoms[0].data, out=dx)
            dx *= tops[0].diff
