"""Scale: multiplies by a blob along some axes, and may add another."""
from __future__ import annotations

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, ParamInit, between
from netdef.layers.bias import check_spread, folded, spread_axis, spread_shape
from netdef.layers.prelu import warn_empty_filler
from netdef.layers.registry import register


@register("Scale")
class Scale(Layer):
    r"""Multiplies its first bottom by a learned blob, or by its second bottom, repeated along the other axes.

    It may add a learned blob too: behind BatchNorm, which normalises only, it gives each channel a scale and a shift.

    Formula: y[o, c, i] = s[c] * x[o, c, i] + b[c];  dx = s dy;  ds[c] = sum of dy * x and db[c] = sum of dy over o
    and i (added up where they are learned). c runs over the axes of s, o over those before and i over those behind.

    Shapes: bottom any shape, top the same. Params: scale, the sizes of ``num_axes`` axes from ``axis`` on (default: one a
    channel; -1: all the rest; 0: a single number), if there is one bottom; bias of the same shape with ``bias_term:
    true``. With two bottoms the second's shape must be that of the first from ``axis`` on, and ``num_axes`` and
    ``filler`` are not used. In place is allowed: a copy of x is kept then.

    Numerical care: scales start at 1. As in Caffe, an explicit filler counts as it stands, and one without a value is
    the constant 0. Gradients of scale and bias are summed in double precision.

    Source: BVLC Caffe, scale_layer; Ioffe and Szegedy, Batch Normalization, ICML 2015 (its gamma and beta).

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
        layer { name: "scale1" type: "Scale" bottom: "data" top: "scale1" scale_param { bias_term: true } }
    """

    options_field = "scale_param"
    bottoms = between(1, 2)
    in_place = "yes"

    def __init__(self, spec):
        super().__init__(spec)
        self.keeps_x = spec.in_place
        self.own = spec.num_bottoms == 1
        self.backward_reads = frozenset() if self.keeps_x and self.own else frozenset({"bottoms"})
        self.param_names = ("scale",) * self.own + ("bias",) * self.options.bias_term
        by_channel = self.options.axis == 1 and self.options.num_axes == 1
        self.follows = "scale" if self.own and by_channel else ""
        warn_empty_filler(spec, "all outputs start at 0, and not scaled by 1")

    def infer(self, bottom_shapes):
        shape, o = tuple(bottom_shapes[0]), self.options
        params = []
        if self.own:
            over = spread_shape(self.spec, shape)
            params.append(ParamInit("scale", over, o.filler if self.spec.has("filler") else 1.0, "filler"))
        else:
            over = tuple(bottom_shapes[1])
            check_spread(self.spec, shape, over)
        if o.bias_term:
            params.append(ParamInit("bias", over, o.bias_filler, "bias_filler"))
        return Inferred(tops=[shape], params=params, workspace={"x": Array(shape)} if self.keeps_x else {},
                        scratch={"product": Array(shape)})

    def forward(self, ctx, bottoms, params, tops):
        scale = params[0].data if self.own else bottoms[1].data
        axis = spread_axis(self.options.axis, tops[0].shape, scale.shape)
        x, y = (folded(b.data, scale.shape, axis) for b in (bottoms[0], tops[0]))
        kept = folded(ctx.workspace["x"], scale.shape, axis) if self.keeps_x and ctx.backward else None
        bias = params[-1].data.reshape(-1) if self.options.bias_term else None
        K.scale_forward(x, scale.reshape(-1), bias, kept, y)

    def backward(self, ctx, tops, params, bottoms, need):
        scale = params[0] if self.own else bottoms[1]
        axis = spread_axis(self.options.axis, tops[0].shape, scale.shape)
        learns = need.params[0] if self.own else need.bottoms[1]
        if learns and not self.own:
            scale.diff[...] = 0
        x, dy, buffer = (folded(a, scale.shape, axis) for a in (
            ctx.workspace["x"] if self.keeps_x else bottoms[0].data, tops[0].diff, ctx.scratch["product"]))
        dscale = scale.diff.reshape(-1) if learns else None
        dbias = params[-1].diff.reshape(-1) if self.options.bias_term and need.params[-1] else None
        dx = folded(bottoms[0].diff, scale.shape, axis) if need.bottoms[0] else None
        K.scale_backward(x, dy, scale.data.reshape(-1), buffer, dscale, dbias, dx)

    def as_affine(self, params):
        """Factor and offset of each channel (C) in float64, where it scales channels by params of its own."""
        values = [blob.data.astype(np.float64) for blob in params]
        return values[0], values[1] if len(values) > 1 else np.zeros_like(values[0])
