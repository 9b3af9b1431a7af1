"""Normalize: division by the L2 norm."""
from __future__ import annotations

import math

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, ParamInit, Shape
from netdef.layers.constraints import not_negative
from netdef.layers.registry import register


@register("Normalize")
class Normalize(Layer):
    r"""Divides by the length of each item, or of the vector of channels at each place, and scales by learned numbers.

    Formula: y = s * x / r with r = sqrt(sum of x^2 + eps), the sum over all values of the item, or with
    ``across_spatial: false`` over the channels at each place. With u = x / r, dx = (s * dy - u * sum(s * dy * u)) / r,
    the sum being over the same values; ds = sum of dy * u.

    Shapes: bottom (N, C, ...), top the same.
    Param: s, () with ``channel_shared`` and (C) without; 1 where there is no ``scale_filler``.

    Numerical care: sums in the net's precision for each place, in double for whole items. Zeros give zeros.

    Source: Liu, Rabinovich and Berg, ParseNet: Looking Wider to See Better, 2015; the layer of SSD's Caffe
    (weiliu89/caffe, branch ssd), whose files give its options number 206.

    Example::

        layer { name: "data" type: "Input" top: "conv4_3" input_param { shape { dim: 2 dim: 4 dim: 3 dim: 3 } } }
        layer { name: "conv4_3_norm" type: "Normalize" bottom: "conv4_3" top: "conv4_3_norm"
                norm_param { across_spatial: false channel_shared: false scale_filler { type: "constant" value: 20 } } }
    """

    options_field = "norm_param"
    backward_reads = frozenset({"bottoms"})
    param_names = ("scale",)
    constraints = {"eps": not_negative()}

    def infer(self, bottom_shapes):
        shape, o = tuple(bottom_shapes[0]), self.options
        if len(shape) < 2:
            raise self.spec.shape_error(f"expected a bottom of at least two axes (N, C, ...), got {shape}", 0)
        items, channels, places = _three(shape)
        scale = ParamInit("scale", () if o.channel_shared else (channels,),
                          o.scale_filler if self.spec.has("scale_filler") else 1.0, "scale_filler")
        norms = (items, 1 if o.across_spatial else places)
        return Inferred(tops=[shape], params=[scale], workspace={"norm": Array(norms)},
                        scratch={"buffer": Array((2, items, channels, places))})

    def forward(self, ctx, bottoms, params, tops):
        x, y = (a.reshape(_three(a.shape)) for a in (bottoms[0].data, tops[0].data))
        K.l2_normalize_forward(x, params[0].data.reshape(-1), self.options.eps, ctx.workspace["norm"], y)

    def backward(self, ctx, tops, params, bottoms, need):
        x, dy = (a.reshape(_three(a.shape)) for a in (bottoms[0].data, tops[0].diff))
        dx = bottoms[0].diff.reshape(x.shape) if need.bottoms[0] else None
        dscale = params[0].diff.reshape(-1) if need.params[0] else None
        K.l2_normalize_backward(x, params[0].data.reshape(-1), ctx.workspace["norm"], dy, ctx.scratch["buffer"], dx,
                                dscale)


def _three(shape: Shape) -> Shape:
    """(N, C, places)."""
    return (shape[0], shape[1], math.prod(shape[2:]))
