"""Sigmoid: the logistic function."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer
from netdef.layers.registry import register


@register("Sigmoid")
class Sigmoid(Layer):
    r"""Squashes every value into (0, 1).

    Formula: y = 1 / (1 + exp(-x));  dx = dy * y * (1 - y).

    Shapes: bottom any shape, top the same. In place is allowed: backward reads y only.

    Numerical care: computed as 0.5 * tanh(0.5 * x) + 0.5, which overflows for no x. y rounds to exactly 0 or 1 where
    x is below about -18 or above 18 in float32; the gradient is 0 there. NaN stays NaN. As a loss on logits use
    SigmoidCrossEntropyLoss, which does not saturate.

    Source: Verhulst, Recherches mathématiques sur la loi d'accroissement de la population, 1845; as a neuron:
    Rumelhart, Hinton and Williams, Learning Representations by Back-Propagating Errors, Nature 1986.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "encode1" type: "Sigmoid" bottom: "data" top: "encode1" }
    """

    options_field = "sigmoid_param"
    in_place = "yes"
    backward_reads = frozenset({"tops"})

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])

    def forward(self, ctx, bottoms, params, tops):
        K.sigmoid_forward(bottoms[0].data, tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            K.sigmoid_backward(tops[0].data, tops[0].diff, bottoms[0].diff)
