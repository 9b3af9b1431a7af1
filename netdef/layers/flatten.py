"""Flatten: several axes as one."""
from __future__ import annotations

import math

from netdef.layers.base import Inferred, Layer, check_axis
from netdef.layers.registry import register


@register("Flatten")
class Flatten(Layer):
    r"""Joins the axes from ``axis`` to ``end_axis`` (inclusive) into one; the values keep their order.

    Formula: y = x and dx = dy, in another shape.

    Shapes: bottom (N, C, H, W), top (N, C*H*W) with the defaults ``axis: 1`` and ``end_axis: -1``. Negative axes count
    from the end. As in Caffe, an ``end_axis`` just before ``axis`` puts in an axis of size 1.

    Numerical care: none. In place is refused, since the shape changes.

    Source: BVLC Caffe, flatten_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
        layer { name: "flat" type: "Flatten" bottom: "data" top: "flat" flatten_param { axis: 1 end_axis: 2 } }
    """

    options_field = "flatten_param"
    backward_reads = frozenset()

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        first = check_axis(self.spec, self.options.axis, len(shape))
        last = check_axis(self.spec, self.options.end_axis, len(shape), "end_axis")
        if last < first - 1:
            raise self.spec.shape_error(f"expected end_axis not before axis, got {self.options.axis} to "
                                        f"{self.options.end_axis} in a bottom of {len(shape)} axes", 0, "end_axis")
        return Inferred(tops=[(*shape[:first], math.prod(shape[first: last + 1]), *shape[last + 1:])])

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = bottoms[0].data.reshape(tops[0].shape)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            bottoms[0].diff[...] = tops[0].diff.reshape(bottoms[0].shape)
