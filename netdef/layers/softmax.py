"""Softmax: scores as probabilities."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer, LayerSpec, check_axis
from netdef.layers.registry import register


@register("Softmax")
class Softmax(Layer):
    r"""Turns scores into probabilities: positive numbers along ``axis`` that add up to 1.

    Formula: y_c = exp(x_c - m) / sum over k of exp(x_k - m), m = max x;  dx_c = y_c (dy_c - sum over k of dy_k y_k).

    Shapes: bottom (N, C, H, W), top the same; C is ``axis`` (default 1, negative ones count from the end). In place is
    allowed.

    Numerical care: the largest score is subtracted first, so nothing overflows. A NaN or +inf among the scores makes
    all probabilities of that item NaN. To train, use SoftmaxWithLoss: its gradient keeps the digits that log(y) loses.

    Source: Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, 1990.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "prob" type: "Softmax" bottom: "data" top: "prob" softmax_param { axis: 1 } }
    """

    options_field = "softmax_param"
    in_place = "yes"
    backward_reads = frozenset({"tops"})

    def __init__(self, spec):
        super().__init__(spec)
        check_softmax(spec)

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        check_axis(self.spec, self.options.axis, len(shape))
        return Inferred(tops=[shape])

    def forward(self, ctx, bottoms, params, tops):
        axis = self.options.axis
        K.softmax_forward(as_three(bottoms[0].data, axis), as_three(tops[0].data, axis))

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            axis = self.options.axis
            K.softmax_backward(*(as_three(a, axis) for a in (tops[0].data, tops[0].diff, bottoms[0].diff)))


def check_softmax(spec: LayerSpec) -> None:
    """Raise FieldError where ``normalize_type`` asks for something else than a softmax."""
    given = spec.message.softmax_param.normalize_type
    if given and given != "Softmax":
        raise spec.error(f"expected Softmax, which is all that is known in this type, got '{given}'", "normalize_type")


def as_three(array: np.ndarray, axis: int) -> np.ndarray:
    """A C-contiguous array viewed as (outer, size of ``axis``, inner)."""
    axis %= array.ndim
    return array.reshape(math.prod(array.shape[:axis]), array.shape[axis], math.prod(array.shape[axis + 1:]))
