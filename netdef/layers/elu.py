"""ELU: the exponential linear unit."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer
from netdef.layers.registry import register


@register("ELU")
class ELU(Layer):
    r"""Keeps positive values and bends negative ones towards -``alpha``.

    Formula: y = x where x > 0, else alpha * (e^x - 1);  dx = dy where x > 0, else (y + alpha) * dy.

    Shapes: bottom any shape, top the same. In place is allowed while alpha is not negative: then y has the sign of x,
    and backward reads y only.

    Numerical care: e^x - 1 is computed as expm1(x), which keeps its digits near 0. The derivative at exactly 0 is
    alpha, as in Caffe. NaN stays NaN.

    Source: Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by Exponential Linear Units,
    ICLR 2016.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "elu1" type: "ELU" bottom: "data" top: "elu1" elu_param { alpha: 0.5 } }
    """

    options_field = "elu_param"
    in_place = "yes"
    backward_reads = frozenset({"tops"})
    keeps_sign = True

    def __init__(self, spec):
        super().__init__(spec)
        self.alpha = self.options.alpha
        if self.alpha < 0:
            self.in_place = "values"
            self.keeps_sign = False
            self.backward_reads = frozenset({"bottoms", "tops"})

    def infer(self, bottom_shapes):
        shape = bottom_shapes[0]
        return Inferred(tops=[shape], scratch={"low": Array(shape)})

    def forward(self, ctx, bottoms, params, tops):
        K.elu_forward(bottoms[0].data, self.alpha, ctx.scratch["low"], tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            seen = bottoms[0].data if self.alpha < 0 else tops[0].data
            K.elu_backward(seen, tops[0].data, tops[0].diff, self.alpha, ctx.scratch["low"], bottoms[0].diff)
