"""Split: one blob for several readers, written out."""
from __future__ import annotations

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer, at_least
from netdef.layers.registry import register


@register("Split")
class Split(Layer):
    r"""Gives out its bottom several times; their gradients are summed.

    Rarely written by hand: a blob may have as many readers as one likes, and the executor sums their gradients. It is
    there for nets that Caffe has written with its own Split layers in them.

    Formula: y_i = x;  dx = sum of dy_i.

    Shapes: bottom any shape, every top the same. In place is refused, as in Caffe.

    Numerical care: gradients are added in the order of the tops.

    Source: BVLC Caffe, split_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "twice" type: "Split" bottom: "data" top: "one" top: "two" }
    """

    tops = at_least(1)
    backward_reads = frozenset()

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]] * self.spec.num_tops)

    def forward(self, ctx, bottoms, params, tops):
        for top in tops:
            np.copyto(top.data, bottoms[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            dx = bottoms[0].diff
            np.copyto(dx, tops[0].diff)
            for top in tops[1:]:
                K.add(dx, top.diff, dx)
