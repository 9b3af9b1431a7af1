"""Swish: a smooth relative of the rectifier."""
from __future__ import annotations

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer
from netdef.layers.registry import register


@register("Swish")
class Swish(Layer):
    r"""Multiplies every value by a sigmoid of itself; with ``beta: 1`` also called SiLU.

    Formula: y = x * s with s = 1 / (1 + e^(-beta * x));  dx = dy * (beta * y + s * (1 - beta * y)).

    Shapes: bottom any shape, top the same. In place is allowed: s is kept, and backward reads y and s.

    Numerical care: s cannot overflow. An x of -infinity gives NaN, as in Caffe.

    Source: Ramachandran, Zoph and Le, Searching for Activation Functions, 2017; Elfwing, Uchibe and Doya, 2017 (SiLU).

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "swish1" type: "Swish" bottom: "data" top: "swish1" swish_param { beta: 1.5 } }
    """

    options_field = "swish_param"
    in_place = "yes"
    backward_reads = frozenset({"tops"})
    keeps_sign = True

    def infer(self, bottom_shapes):
        shape = bottom_shapes[0]
        return Inferred(tops=[shape], workspace={"gate": Array(shape)}, scratch={"product": Array(shape)})

    def forward(self, ctx, bottoms, params, tops):
        x, gate = bottoms[0].data, ctx.workspace["gate"]
        np.multiply(x, self.options.beta, out=gate)
        K.sigmoid_forward(gate, gate)
        with np.errstate(invalid="ignore"):
            np.multiply(x, gate, out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            gate, product = ctx.workspace["gate"], ctx.scratch["product"]
            # beta y + s (1 - beta y) = s + (1 - s) beta y
            np.subtract(1, gate, out=product)
            product *= tops[0].data
            product *= self.options.beta
            product += gate
            np.multiply(tops[0].diff, product, out=bottoms[0].diff)
