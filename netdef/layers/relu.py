"""ReLU: the rectifier."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer
from netdef.layers.registry import register


@register("ReLU")
class ReLU(Layer):
    r"""Keeps positive values and scales negative ones by ``negative_slope`` (0: drops them).

    Formula: y = max(x, 0) + negative_slope * min(x, 0);  dx = dy where x > 0, else negative_slope * dy.

    Shapes: bottom any shape, top the same. In place is allowed and usual.

    Numerical care: the derivative at exactly 0 is ``negative_slope``, as in Caffe. NaN stays NaN. In place, backward
    sees y instead of x; both have the same sign as long as the slope is not negative, so a negative slope is
    right only out of place.

    Source: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, ICML 2010;
    the leak: Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models, 2013.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "relu1" type: "ReLU" bottom: "data" top: "relu1" relu_param { negative_slope: 0.1 } }
    """

    options_field = "relu_param"
    in_place = "yes"
    backward_reads = frozenset({"top signs"})
    keeps_sign = True
    follows = "relu"

    def __init__(self, spec):
        super().__init__(spec)
        self.slope = self.options.negative_slope
        if self.slope < 0:
            self.in_place = "values"
            self.keeps_sign = False
            self.follows = ""
            self.backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])

    def forward(self, ctx, bottoms, params, tops):
        K.relu_forward(bottoms[0].data, self.slope, tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            seen = bottoms[0].data if self.slope < 0 else tops[0].data
            K.relu_backward(seen, tops[0].diff, self.slope, bottoms[0].diff)
