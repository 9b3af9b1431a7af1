"""LRN: local response normalisation."""
from __future__ import annotations

import math

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer
from netdef.layers.constraints import Constraint
from netdef.layers.registry import register

WITHIN_CHANNEL = 1


@register("LRN")
class LRN(Layer):
    r"""Divides each value by a measure of its neighbours' energy: other channels at its place, or places around it.

    Formula: y = x / t^beta. ACROSS_CHANNELS (default): t = k + alpha / n * (sum of x^2 over the n = ``local_size``
    channels around); WITHIN_CHANNEL: t = 1 + alpha / n^2 * (sum of x^2 over a square of n by n places around).
    Neighbours outside are zeros, and count in n. dx = dy / t^beta - (2 * alpha * beta / n) * x * (sum over the same
    neighbours of dy * y / t), with n^2 in place of n within a channel.

    Shapes: bottom (N, C, H, W), top the same.

    Numerical care: alpha is divided by the number of neighbours; papers and other frameworks that do not divide need
    their alpha times that number here. WITHIN_CHANNEL ignores k, as in Caffe, whose trained nets depend on it: a k
    other than 1 is warned of.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Neural Networks, 2012;
    BVLC Caffe, lrn_layer.

    Example::

        layer { name: "data" type: "Input" top: "conv1" input_param { shape { dim: 2 dim: 6 dim: 4 dim: 4 } } }
        layer { name: "norm1" type: "LRN" bottom: "conv1" top: "norm1"
                lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }
    """

    options_field = "lrn_param"
    backward_reads = frozenset({"bottoms"})
    constraints = {"local_size": Constraint(low=1, odd=True)}

    def __init__(self, spec):
        super().__init__(spec)
        self.within = self.options.norm_region == WITHIN_CHANNEL
        if self.within and self.options.k != 1:
            spec.warn(f"{self.options.k:g} has no effect with WITHIN_CHANNEL, which takes 1, as in Caffe", "k",
                      hint="remove it")

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        if len(shape) != 4:
            raise self.spec.shape_error(f"expected a bottom of 4 axes (N, C, H, W), got {shape}", 0)
        return Inferred(tops=[shape], workspace={"scale": Array(shape)}, scratch={"buffer": Array((2, *shape))})

    def forward(self, ctx, bottoms, params, tops):
        o, x, scale, y = self.options, bottoms[0].data, ctx.workspace["scale"], tops[0].data
        if self.within:
            K.lrn_within_forward(x, o.local_size, o.alpha, o.beta, scale, y)
        else:
            K.lrn_across_forward(_flat(x), o.local_size, o.alpha, o.beta, o.k, _flat(scale), _flat(y))

    def backward(self, ctx, tops, params, bottoms, need):
        if not need.bottoms[0]:
            return
        o, buffer = self.options, ctx.scratch["buffer"]
        arrays = (bottoms[0].data, ctx.workspace["scale"], tops[0].diff)
        dx = bottoms[0].diff
        if self.within:
            K.lrn_within_backward(*arrays, o.local_size, o.alpha, o.beta, buffer, dx)
        else:
            buffer = buffer.reshape(2, *_flat(dx).shape)
            K.lrn_across_backward(*map(_flat, arrays), o.local_size, o.alpha, o.beta, buffer, _flat(dx))


def _flat(a):
    """(N, C, places)."""
    return a.reshape(*a.shape[:2], math.prod(a.shape[2:]))
