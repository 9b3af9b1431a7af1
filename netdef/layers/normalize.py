"""Normalize: division by the L2 norm."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, ParamInit, Shape, between
from netdef.layers.constraints import not_negative
from netdef.layers.registry import register

LENGTH_EPS = 1e-6  # of caffe-windows


@register("Normalize")
class Normalize(Layer):
    r"""Divides by the length of each item, or of the vector of channels at each place, and scales by learned numbers.

    Formula: y = s * x / r with r = sqrt(sum of x^2 + eps), the sum over all values of the item, or with
    ``across_spatial: false`` over the channels at each place. With u = x / r, dx = (s * dy - u * sum(s * dy * u)) / r,
    the sum being over the same values; ds = sum of dy * u.

    With ``normalize_param`` it is caffe-windows's: y = x / r with r = sqrt(sum of x^2 + 1e-6), or for ``normalize_type: "L1"``
    sum of |x| + 1e-6, over the channels at each place;  dx = (dy - u sum(dy * y)) / r with u = y, or for L1 the sign of x; with
    ``bp_norm`` the second top, r, adds dr u. ``softmax_param { normalize_type }`` of its early files says the same.

    Shapes: bottom (N, C, ...), top the same. caffe-windows's has no param, and may have a second top (N, 1, ...) with r, which
    passes a gradient down only with ``bp_norm``.
    Param: s, () with ``channel_shared`` and (C) without; 1 where there is no ``scale_filler``.

    Numerical care: sums in the net's precision for each place, in double for whole items. Zeros give zeros.

    Source: Liu, Rabinovich and Berg, ParseNet: Looking Wider to See Better, 2015; the layer of SSD's Caffe
    (weiliu89/caffe, branch ssd), whose files give its options number 206; happynear/caffe-windows, whose files give its own
    number 214.

    Example::

        layer { name: "data" type: "Input" top: "conv4_3" input_param { shape { dim: 2 dim: 4 dim: 3 dim: 3 } } }
        layer { name: "conv4_3_norm" type: "Normalize" bottom: "conv4_3" top: "conv4_3_norm"
                norm_param { across_spatial: false channel_shared: false scale_filler { type: "constant" value: 20 } } }
    """

    options_field = "norm_param"
    tops = between(1, 2)
    backward_reads = frozenset({"bottoms"})
    param_names = ("scale",)
    constraints = {"eps": not_negative()}

    def __init__(self, spec):
        super().__init__(spec)
        m = spec.message
        self.length = ""  # how caffe-windows measures it; empty: SSD's layer
        if m.HasField("normalize_param") or m.softmax_param.normalize_type:
            self.length = m.softmax_param.normalize_type or m.normalize_param.normalize_type
            self.param_names = ()
        if self.length not in ("", "L2", "L1"):
            raise spec.error(f"expected normalize_type: L2 or L1, got '{self.length}'")
        if self.length and m.HasField("norm_param"):
            raise spec.error("expected either norm_param or normalize_param, got both")
        if spec.num_tops > 1 and not self.length:
            raise spec.error("a second top, the lengths, needs normalize_param", hint="normalize_param { } makes it "
                             "caffe-windows's layer")

    def infer(self, bottom_shapes):
        shape, o = tuple(bottom_shapes[0]), self.options
        if len(shape) < 2:
            raise self.spec.shape_error(f"expected a bottom of at least two axes (N, C, ...), got {shape}", 0)
        if self.length:
            lengths = (shape[0], 1, *shape[2:])
            return Inferred(tops=[shape, lengths][: self.spec.num_tops], workspace={"norm": Array(lengths)})
        items, channels, places = _three(shape)
        scale = ParamInit("scale", () if o.channel_shared else (channels,),
                          o.scale_filler if self.spec.has("scale_filler") else 1.0, "scale_filler")
        norms = (items, 1 if o.across_spatial else places)
        return Inferred(tops=[shape], params=[scale], workspace={"norm": Array(norms)},
                        scratch={"buffer": Array((2, items, channels, places))})

    def forward(self, ctx, bottoms, params, tops):
        if self.length:
            self._divide(bottoms[0].data, ctx.workspace["norm"], tops)
            return
        x, y = (a.reshape(_three(a.shape)) for a in (bottoms[0].data, tops[0].data))
        K.l2_normalize_forward(x, params[0].data.reshape(-1), self.options.eps, ctx.workspace["norm"], y)

    def backward(self, ctx, tops, params, bottoms, need):
        if self.length:
            if need.bottoms[0]:
                self._slope(bottoms[0], ctx.workspace["norm"], tops)
            return
        x, dy = (a.reshape(_three(a.shape)) for a in (bottoms[0].data, tops[0].diff))
        dx = bottoms[0].diff.reshape(x.shape) if need.bottoms[0] else None
        dscale = params[0].diff.reshape(-1) if need.params[0] else None
        K.l2_normalize_backward(x, params[0].data.reshape(-1), ctx.workspace["norm"], dy, ctx.scratch["buffer"], dx,
                                dscale)

    def _divide(self, x, norm, tops):
        if self.length == "L2":
            np.sqrt(np.square(x).sum(axis=1, keepdims=True) + LENGTH_EPS, out=norm)
        else:
            np.add(np.abs(x).sum(axis=1, keepdims=True), LENGTH_EPS, out=norm)
        np.divide(x, norm, out=tops[0].data)
        if len(tops) > 1:
            tops[1].data[...] = norm

    def _slope(self, bottom, norm, tops):
        x, dy = bottom.data, tops[0].diff
        y = x / norm
        u = y if self.length == "L2" else np.sign(x)
        bottom.diff[...] = (dy - u * (dy * y).sum(axis=1, keepdims=True)) / norm
        if len(tops) > 1 and self.spec.message.normalize_param.bp_norm:
            bottom.diff[...] += tops[1].diff * u


def _three(shape: Shape) -> Shape:
    """(N, C, places)."""
    return (shape[0], shape[1], math.prod(shape[2:]))
