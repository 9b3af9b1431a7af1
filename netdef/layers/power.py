"""Power: a shifted and scaled value to a fixed exponent."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Array, Inferred, Layer
from netdef.layers.registry import register


@register("Power")
class Power(Layer):
    r"""Raises every value to ``power``, after a factor and a shift; with power 1 a plain scale and shift.

    Formula: y = (shift + scale * x)^power;  dx = dy * power * scale * (shift + scale * x)^(power - 1).
    With a power or a scale of 0, y is a constant and dx is 0.

    Shapes: bottom any shape, top the same. In place is allowed where backward needs no x: with power 1, or a
    constant result. With any other power only in a net that does not learn (Caffe computes a wrong gradient there
    without a word).

    Numerical care: NaN where the inner value is negative and the power no whole number. Caffe divides y by the inner
    value and gives NaN where that is 0; here the gradient is right there (0 for powers above 1, infinite below).

    Source: BVLC Caffe, power_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "root" type: "Power" bottom: "data" top: "root" power_param { power: 0.5 scale: 2 shift: 1 } }
    """

    options_field = "power_param"
    in_place = "yes"

    def __init__(self, spec):
        super().__init__(spec)
        o = self.options
        self.constant = o.power * o.scale == 0
        self.linear = o.power == 1
        self.keeps_sign = self.linear and o.scale > 0 and o.shift == 0
        if self.constant or self.linear:
            self.backward_reads = frozenset()
        else:
            self.in_place = "values"
            self.backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        shape = bottom_shapes[0]
        scratch = {} if self.constant or self.linear else {"inner": Array(shape)}
        return Inferred(tops=[shape], scratch=scratch)

    def forward(self, ctx, bottoms, params, tops):
        o, y = self.options, tops[0].data
        if self.constant:
            y[...] = o.shift
        else:
            self._inner(bottoms[0].data, y)
        raise_to(y, o.power)

    def backward(self, ctx, tops, params, bottoms, need):
        if not need.bottoms[0]:
            return
        o, dy, dx = self.options, tops[0].diff, bottoms[0].diff
        if self.constant:
            dx[...] = 0
        elif self.linear:
            np.multiply(dy, o.scale, out=dx)
        else:
            inner = ctx.scratch["inner"]
            self._inner(bottoms[0].data, inner)
            raise_to(inner, o.power - 1)
            np.multiply(dy, o.power * o.scale, out=dx)
            with np.errstate(invalid="ignore", over="ignore"):
                dx *= inner

    def _inner(self, x: np.ndarray, out: np.ndarray) -> None:
        """out = shift + scale * x."""
        np.multiply(x, self.options.scale, out=out)
        if self.options.shift != 0:
            out += self.options.shift


def raise_to(a: np.ndarray, power: float) -> None:
    """a = a^power in place; the usual powers without the slow general function. Infinite and NaN results are no error."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if power == 2:
            np.square(a, out=a)
        elif power == 0.5:
            np.sqrt(a, out=a)
        elif power == -1:
            np.reciprocal(a, out=a)
        elif power != 1:
            np.power(a, power, out=a)
