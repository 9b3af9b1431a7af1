"""Mish, HSwish and HardSigmoid: activations of small forks."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer
from netdef.layers.registry import register


class Pointwise(Layer):
    """A function of each value whose derivative is taken from the bottom."""

    in_place = "values"
    backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])


@register("Mish")
class Mish(Pointwise):
    r"""A smooth rectifier that dips below zero: x times the hyperbolic tangent of a soft rectifier.

    Formula: y = x * tanh(p) with p = log(1 + e^x);  dx = dy * (tanh(p) + x * s * (1 - tanh(p)^2)) with s = 1 / (1 + e^-x).

    Shapes: bottom any shape, top the same. In place only where nothing below learns.

    Numerical care: p is max(x, 0) + log(1 + e^-|x|), which cannot overflow.

    Source: Misra, Mish: A Self Regularized Non-Monotonic Activation Function, BMVC 2020; forks for YOLOv4.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "mish1" type: "Mish" bottom: "data" top: "mish1" }
    """

    def forward(self, ctx, bottoms, params, tops):
        x = bottoms[0].data
        np.multiply(x, np.tanh(soft(x)), out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            x = bottoms[0].data
            gate = np.tanh(soft(x))
            slope = np.exp(x - soft(x))  # the logistic function of x
            np.multiply(tops[0].diff, gate + x * slope * (1 - gate * gate), out=bottoms[0].diff)


def soft(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x))."""
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


@register("HSwish")
class HSwish(Pointwise):
    r"""Swish with a straight line in place of the sigmoid, for small devices.

    Formula: y = x * min(max(x + 3, 0), 6) / 6;  dx = dy * (0 below -3, 1 above 3, else (2 x + 3) / 6).

    Shapes: bottom any shape, top the same. In place only where nothing below learns.

    Numerical care: at -3 and 3 the derivative is that of the line beyond.

    Source: Howard et al., Searching for MobileNetV3, ICCV 2019.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "hswish1" type: "HSwish" bottom: "data" top: "hswish1" }
    """

    def forward(self, ctx, bottoms, params, tops):
        x = bottoms[0].data
        np.multiply(x, np.clip(x + 3, 0, 6) / x.dtype.type(6), out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            x = bottoms[0].data
            slope = np.where(x >= 3, 1, np.where(x <= -3, 0, (2 * x + 3) / 6))
            np.multiply(tops[0].diff, slope.astype(x.dtype), out=bottoms[0].diff)


@register("HardSigmoid")
class HardSigmoid(Pointwise):
    r"""A straight line cut off at 0 and 1, in place of the sigmoid.

    Formula: y = min(max(alpha * x + beta, 0), 1);  dx = alpha * dy where 0 < y < 1, else 0.

    Shapes: bottom any shape, top the same. In place only where nothing below learns.

    Numerical care: MobileNetV3's is alpha = 1/6 and beta = 0.5; a fork that writes no numbers may mean these.

    Source: Courbariaux, Bengio and David, BinaryConnect, NIPS 2015; the defaults are those of Keras and ONNX.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "gate1" type: "HardSigmoid" bottom: "data" top: "gate1" hard_sigmoid_param { alpha: 0.1666667 } }
    """

    options_field = "hard_sigmoid_param"

    def _line(self, x: np.ndarray) -> np.ndarray:
        real = x.dtype.type
        return np.asarray(x * real(self.options.alpha) + real(self.options.beta))

    def forward(self, ctx, bottoms, params, tops):
        np.clip(self._line(bottoms[0].data), 0, 1, out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            line, dx = self._line(bottoms[0].data), bottoms[0].diff
            np.multiply(tops[0].diff, dx.dtype.type(self.options.alpha), out=dx)
            dx *= (line > 0) & (line < 1)
