"""TanH: the hyperbolic tangent."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer
from netdef.layers.registry import register


@register("TanH")
class TanH(Layer):
    r"""Squashes every value into (-1, 1).

    Formula: y = tanh(x);  dx = dy * (1 - y^2).

    Shapes: bottom any shape, top the same. In place is allowed: backward reads y only.

    Numerical care: y rounds to exactly -1 or 1 where |x| is above about 9 in float32; the gradient is 0 there.
    NaN stays NaN.

    Source: LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "tanh1" type: "TanH" bottom: "data" top: "tanh1" }
    """

    options_field = "tanh_param"
    in_place = "yes"
    backward_reads = frozenset({"tops"})
    keeps_sign = True

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])

    def forward(self, ctx, bottoms, params, tops):
        K.tanh_forward(bottoms[0].data, tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            K.tanh_backward(tops[0].data, tops[0].diff, bottoms[0].diff)
