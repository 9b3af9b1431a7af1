"""Parameter: a learned blob as a top."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer, ParamInit, exactly
from netdef.layers.input import check_dims
from netdef.layers.registry import register


@register("Parameter")
class Parameter(Layer):
    r"""Gives a learned blob out, for layers that take weights as a bottom.

    Formula: y = w;  dw += dy.

    Shapes: no bottoms; the top and the one param have the ``shape`` that the config gives.

    Numerical care: the param starts as zeros; give it values by name (``net.params``) or from a weights file.

    Source: BVLC Caffe, parameter_layer.

    Example::

        layer { name: "offset" type: "Parameter" top: "offset" parameter_param { shape { dim: 3 } } }
        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "moved" type: "Bias" bottom: "data" bottom: "offset" top: "moved" }
    """

    options_field = "parameter_param"
    bottoms = exactly(0)
    backward_reads = frozenset()
    param_names = ("parameter",)

    def __init__(self, spec):
        super().__init__(spec)
        if not spec.has("shape"):
            raise spec.error("missing", "shape", hint="write one, such as parameter_param { shape { dim: 10 } }")
        check_dims(spec, self.options.shape.dim, 0)

    def infer(self, bottom_shapes):
        shape = tuple(self.options.shape.dim)
        return Inferred(tops=[shape], params=[ParamInit("parameter", shape, None, "shape")])

    def forward(self, ctx, bottoms, params, tops):
        np.copyto(tops[0].data, params[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.params[0]:
            params[0].diff[...] += tops[0].diff
