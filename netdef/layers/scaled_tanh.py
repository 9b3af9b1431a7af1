"""Two scaled hyperbolic tangents: LeCun's ScaledTanH and OpenCV's SymmetricSigmoid."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Array, Inferred, Layer
from netdef.layers.constraints import Constraint
from netdef.layers.registry import register


class _Scaled(Layer):
    """y = height * tanh(steepness * x), of which backward reads y only. No layer type by itself."""

    in_place = "yes"
    backward_reads = frozenset({"tops"})
    keeps_sign = True
    height: float
    steepness: float

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]], scratch={"slope": Array(bottom_shapes[0])})

    def forward(self, ctx, bottoms, params, tops):
        y = tops[0].data
        np.multiply(bottoms[0].data, self.steepness, out=y)
        np.tanh(y, out=y)
        y *= self.height

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:  # the derivative is steepness * (height - y^2 / height)
            slope = ctx.scratch["slope"]
            np.square(tops[0].data, out=slope)
            slope *= -self.steepness / self.height
            slope += self.steepness * self.height
            np.multiply(tops[0].diff, slope, out=bottoms[0].diff)


@register("ScaledTanH")
class ScaledTanH(_Scaled):
    r"""The hyperbolic tangent 1.7159 tanh(2x/3) that maps 1 to 1 and -1 to -1, or any other a tanh(b x).

    Known elsewhere as LeCun's tanh, LecunTanh or STanh.

    Formula: y = a * tanh(b * x);  dx = dy * b * (a - y^2 / a).

    Shapes: bottom any shape, top the same. In place is allowed: backward reads y only.

    Numerical care: y rounds to exactly -a or a where |b x| is above about 9 in float32; the gradient is 0 there, up
    to rounding. NaN stays NaN.

    Source: LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998, section 4.4: with a = 1.7159 and b = 2/3 the
    slope is near 1 and the curvature largest at targets of 1 and -1, where the output is not saturated yet.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "squash" type: "ScaledTanH" bottom: "data" top: "squash" }
    """

    options_field = "scaled_tanh_param"
    constraints = {"a": Constraint(low=0, low_open=True), "b": Constraint(low=0, low_open=True)}

    def __init__(self, spec):
        super().__init__(spec)
        self.height, self.steepness = self.options.a, self.options.b


@register("SymmetricSigmoid")
class SymmetricSigmoid(_Scaled):
    r"""OpenCV's symmetric sigmoid, a curve from -``beta`` to ``beta``.

    OpenCV's name is ``ANN_MLP::SIGMOID_SYM`` with the parameters alpha and beta; the defaults here are its own.

    Formula: y = beta * (1 - e^(-alpha x)) / (1 + e^(-alpha x)) = beta * tanh(alpha x / 2);
    dx = dy * alpha / 2 * (beta - y^2 / beta).

    Shapes: bottom any shape, top the same. In place is allowed: backward reads y only.

    Numerical care: computed as the hyperbolic tangent, which cannot overflow. Mind the half: the default alpha 2/3 with
    beta 1.7159 is 1.7159 tanh(x/3) by the formula that OpenCV computes, although its manual says 1.7159 tanh(2x/3);
    the latter is ScaledTanH.

    Source: OpenCV, ml module, ANN_MLP.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "squash" type: "SymmetricSigmoid" bottom: "data" top: "squash"
                symmetric_sigmoid_param { alpha: 1 beta: 1 } }
    """

    options_field = "symmetric_sigmoid_param"
    constraints = {"alpha": Constraint(low=0, low_open=True), "beta": Constraint(low=0, low_open=True)}

    def __init__(self, spec):
        super().__init__(spec)
        self.height, self.steepness = self.options.beta, self.options.alpha / 2
