"""ChannelScale: one factor for all channels of a place."""
from __future__ import annotations

import math

from netdef.layers.base import Inferred, Layer, exactly
from netdef.layers.registry import register


@register("ChannelScale")
class ChannelScale(Layer):
    r"""Multiplies all channels of each place by one number, so that Normalize can be undone, or a length be given to vectors.

    Formula: y[n, c, p] = s[n, p] x[n, c, p];  dx = s dy;  ds = sum over the channels of x dy. With ``do_forward: false`` y = x,
    with ``do_backward_feature: false`` dx = dy, with ``do_backward_scale: false`` ds = 0: then the gradient is not that of y.

    Shapes: x (N, C, ...), s with one value for each item and place, (N, 1, ...) or (N, ...); top as x.

    Numerical care: sums run in the net's own precision.

    Source: happynear/caffe-windows, whose files give its options number 237.

    Example::

        layer { name: "data" type: "Input" top: "x" top: "s"
                input_param { shape { dim: 2 dim: 4 dim: 3 dim: 3 } shape { dim: 2 dim: 1 dim: 3 dim: 3 } } }
        layer { name: "scaled" type: "ChannelScale" bottom: "x" bottom: "s" top: "scaled" }
    """

    options_field = "channel_scale_param"
    bottoms = exactly(2)
    backward_reads = frozenset({"bottoms"})

    def __init__(self, spec):
        super().__init__(spec)
        if self.options.global_scale:
            raise spec.error("expected false, which is all that is known here", "global_scale",
                             "a Scale layer with num_axes: 0 learns one factor")

    def infer(self, bottom_shapes):
        x, s = (tuple(shape) for shape in bottom_shapes)
        if len(x) < 2:
            raise self.spec.shape_error(f"expected x of at least two axes (N, C, ...), got {x}", 0)
        places = math.prod(x[2:])
        if not s or s[0] != x[0] or math.prod(s[1:]) != places:
            raise self.spec.shape_error(f"expected one factor for each of the {places} places of each item, "
                                        f"{(x[0], 1, *x[2:])}, got {s}", 1)
        return Inferred(tops=[x])

    def forward(self, ctx, bottoms, params, tops):
        x, s = bottoms[0].data, bottoms[1].data
        tops[0].data[...] = self._spread(s, x.shape) * x if self.options.do_forward else x

    def backward(self, ctx, tops, params, bottoms, need):
        x, s, dy = bottoms[0].data, bottoms[1].data, tops[0].diff
        if need.bottoms[0]:
            bottoms[0].diff[...] = self._spread(s, x.shape) * dy if self.options.do_backward_feature else dy
        if need.bottoms[1]:
            ds = bottoms[1].diff
            ds[...] = (x * dy).sum(axis=1).reshape(ds.shape) if self.options.do_backward_scale else 0

    @staticmethod
    def _spread(s, shape):
        """Factors with one axis for each of x, that of the channels of size 1."""
        return s.reshape(shape[0], 1, *shape[2:])
