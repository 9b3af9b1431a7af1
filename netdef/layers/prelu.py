"""PReLU: a rectifier whose slope below zero is learned."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, ParamInit
from netdef.layers.registry import register


@register("PReLU")
class PReLU(Layer):
    r"""Keeps positive values and multiplies negative ones by a learned slope, one a channel.

    Formula: y = max(x, 0) + a_c * min(x, 0);  dx = dy where x > 0, else a_c * dy;
    da_c += sum of dy * min(x, 0) over the channel.

    Shapes: bottom (N, C, ...), top the same. Param: slope (C), or () with ``channel_shared: true``. In place is allowed:
    a copy of x is kept then.

    Numerical care: slopes start at 0.25. As in Caffe, an explicit filler counts as it stands, and one without a value is
    the constant 0. The slope's gradient is summed in double precision.

    Source: He, Zhang, Ren and Sun, Delving Deep into Rectifiers, ICCV 2015.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
        layer { name: "prelu1" type: "PReLU" bottom: "data" top: "data" prelu_param { filler { value: 0.1 } } }
    """

    options_field = "prelu_param"
    in_place = "yes"
    param_names = ("slope",)

    def __init__(self, spec):
        super().__init__(spec)
        self.keeps_x = spec.in_place
        self.backward_reads = frozenset() if self.keeps_x else frozenset({"bottoms"})
        warn_empty_filler(spec, "the slopes start at 0, and not at 0.25")

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        if len(shape) < 2:
            raise self.spec.shape_error(f"expected at least 2 axes (N, C, ...), got the shape {shape}", 0)
        slope = () if self.options.channel_shared else (shape[1],)
        filler = self.options.filler if self.spec.has("filler") else 0.25
        return Inferred(tops=[shape], params=[ParamInit("slope", slope, filler, "filler")],
                        workspace={"x": Array(shape)} if self.keeps_x else {}, scratch={"low": Array(shape)})

    def forward(self, ctx, bottoms, params, tops):
        kept = self._channels(ctx.workspace["x"]) if self.keeps_x and ctx.backward else None
        x, low, y = map(self._channels, (bottoms[0].data, ctx.scratch["low"], tops[0].data))
        K.prelu_forward(x, params[0].data.reshape(-1), kept, low, y)

    def backward(self, ctx, tops, params, bottoms, need):
        x = ctx.workspace["x"] if self.keeps_x else bottoms[0].data
        x, dy, low = map(self._channels, (x, tops[0].diff, ctx.scratch["low"]))
        dslope = params[0].diff.reshape(-1) if need.params[0] else None
        dx = self._channels(bottoms[0].diff) if need.bottoms[0] else None
        K.prelu_backward(x, dy, params[0].data.reshape(-1), low, dslope, dx)

    def _channels(self, a: np.ndarray) -> np.ndarray:
        """(N, C, rest), or (1, 1, all) where the channels share their slope."""
        return a.reshape(1, 1, -1) if self.options.channel_shared else a.reshape(*a.shape[:2], math.prod(a.shape[2:]))


def warn_empty_filler(spec, effect: str) -> None:
    """Say where an explicit filler without a value means the constant 0 and not this layer's default (Caffe's rule)."""
    if not spec.has("filler"):
        return
    filler = spec.options.filler
    if filler.type == "constant" and not filler.HasField("value"):
        spec.warn(f"a filler without a value is the constant 0: {effect}", "filler", hint="remove it, or give a value")
