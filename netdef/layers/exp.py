"""Exp: an exponential to any base."""
from __future__ import annotations

import math

import numpy as np

from netdef.layers.base import Inferred, Layer, LayerSpec
from netdef.layers.registry import register


@register("Exp")
class Exp(Layer):
    r"""Raises ``base`` to the power of every value, after a factor and a shift.

    Formula: y = base^(shift + scale * x), base -1 standing for e;  dx = dy * y * scale * log(base).

    Shapes: bottom any shape, top the same. In place is allowed: backward reads y only.

    Numerical care: computed as e^(log(base) * (shift + scale * x)); it is infinite where the exponent is above about
    88.7 in float32, and the gradient there is not finite either. Clip x before it where that can happen.

    Source: BVLC Caffe, exp_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "power" type: "Exp" bottom: "data" top: "power" exp_param { base: 2 scale: 0.5 shift: 1 } }
    """

    options_field = "exp_param"
    in_place = "yes"
    backward_reads = frozenset({"tops"})

    def __init__(self, spec):
        super().__init__(spec)
        log_base = log_of_base(spec)
        self.factor = log_base * self.options.scale
        self.shift = log_base * self.options.shift

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])

    def forward(self, ctx, bottoms, params, tops):
        y = tops[0].data
        np.multiply(bottoms[0].data, self.factor, out=y)
        if self.shift != 0:
            y += self.shift
        with np.errstate(over="ignore"):  # infinity is the answer; what it breaks is found where it breaks
            np.exp(y, out=y)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            dx = bottoms[0].diff
            with np.errstate(over="ignore", invalid="ignore"):
                np.multiply(tops[0].diff, tops[0].data, out=dx)
                dx *= self.factor


def log_of_base(spec: LayerSpec) -> float:
    """The natural logarithm of the option ``base``, where -1 stands for e. Raises FieldError unless above 0."""
    base = spec.options.base
    if base == -1:
        return 1.0
    if not base > 0 or math.isinf(base):
        raise spec.error(f"expected a finite number above 0, or -1 for e, got {base:g}", "base")
    return math.log(base)
