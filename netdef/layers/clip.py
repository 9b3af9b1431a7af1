"""Clip: values limited to a range."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Array, Inferred, Layer
from netdef.layers.constraints import Constraint
from netdef.layers.registry import register


@register("Clip")
class Clip(Layer):
    r"""Limits every value to the range from ``min`` to ``max``.

    Formula: y = max(min, min(x, max));  dx = dy where min <= x <= max, else 0.

    Shapes: bottom any shape, top the same. In place only in a net that does not learn: values cut off would look like
    values exactly at the border, through which the gradient passes.

    Numerical care: the gradient passes at both ends. NaN stays NaN and passes no gradient (Caffe turns it into ``min``,
    which hides it).

    Source: BVLC Caffe, clip_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "clip1" type: "Clip" bottom: "data" top: "clip1" clip_param { min: 0 max: 6 } }
    """

    options_field = "clip_param"
    in_place = "values"
    backward_reads = frozenset({"bottoms"})
    constraints = {"min": Constraint(required=True), "max": Constraint(required=True)}

    def __init__(self, spec):
        super().__init__(spec)
        if not self.options.min <= self.options.max:
            raise spec.error(f"expected at least min {self.options.min:g}, got {self.options.max:g}", "max")

    def infer(self, bottom_shapes):
        shape = bottom_shapes[0]
        return Inferred(tops=[shape], scratch={"inside": Array(shape, "bool"), "below": Array(shape, "bool")})

    def forward(self, ctx, bottoms, params, tops):
        np.clip(bottoms[0].data, self.options.min, self.options.max, out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            x, dx = bottoms[0].data, bottoms[0].diff
            inside, below = ctx.scratch["inside"], ctx.scratch["below"]
            np.greater_equal(x, self.options.min, out=inside)
            np.less_equal(x, self.options.max, out=below)
            inside &= below
            dx[...] = 0  # not a product: 0 times an infinite dy is NaN
            np.copyto(dx, tops[0].diff, where=inside)
