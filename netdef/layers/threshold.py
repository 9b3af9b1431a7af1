"""Threshold: 1 above a limit, else 0."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer
from netdef.layers.registry import register


@register("Threshold")
class Threshold(Layer):
    r"""Gives 1 where a value lies above ``threshold``, else 0.

    Formula: y = 1 where x > threshold, else 0. No gradient: a net that needs one through it stops there.

    Shapes: bottom any shape, top the same. In place is allowed.

    Numerical care: a value equal to the threshold gives 0, and so does NaN.

    Source: BVLC Caffe, threshold_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "fires" type: "Threshold" bottom: "data" top: "fires" threshold_param { threshold: 0.5 } }
    """

    options_field = "threshold_param"
    differentiable = False
    in_place = "yes"
    backward_reads = frozenset()

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])

    def forward(self, ctx, bottoms, params, tops):
        x, y = bottoms[0].data, tops[0].data
        np.greater(x, self.options.threshold, out=y)
