"""SigmoidCrossEntropyLoss: the loss of yes-or-no questions."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, exactly
from netdef.layers.losses import Normalization, check_first_axes
from netdef.layers.registry import register
from netdef.layers.targets import refuse


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(Layer):
    r"""Sigmoid and cross entropy in one: each value answers its own yes-or-no question.

    Formula: p = 1 / (1 + exp(-x));  y = -1/Z sum of t log p + (1 - t) log(1 - p);  dx = w / Z (p - t) with the loss
    weight w. Values whose target, cut to a whole number, is ``ignore_label`` count neither in y nor in dx.
    Z by ``normalization``: BATCH_SIZE (default) items, VALID values not ignored, FULL all values, NONE 1; at least 1.
    The legacy ``normalize`` (true: VALID, false: BATCH_SIZE) is read where ``normalization`` is not given.

    Shapes: scores and targets (N, ...) with as many values; top: a scalar (). Targets may be any number from 0 to 1
    and get no gradient.

    Numerical care: computed as max(x, 0) - x t + log(1 + exp(-|x|)), which neither overflows nor loses digits; there is
    no clamp, so the loss grows linearly with a score that is wrong.

    Source: BVLC Caffe, sigmoid_cross_entropy_loss_layer; Bishop, Pattern Recognition and Machine
    Learning, section 4.3.2.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "target" input_param { shape { dim: 2 dim: 5 } } }
        layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "score" bottom: "target" top: "loss"
                loss_param { ignore_label: -1 } }
    """

    options_field = "loss_param"
    bottoms = exactly(2)
    differentiable = (True, False)
    is_loss = True
    backward_reads = frozenset({"bottoms"})

    def __init__(self, spec):
        super().__init__(spec)
        refuse(spec, "label_smoothing", "class_weight")
        self.normalization = Normalization.read(spec, "BATCH_SIZE")

    def infer(self, bottom_shapes):
        scores, targets = (tuple(s) for s in bottom_shapes)
        check_first_axes(self.spec, scores, targets)
        if math.prod(scores) != math.prod(targets):
            names = self.spec.message.bottom
            raise self.spec.shape_error(f"expected one target a score, got '{names[0]}' of shape {scores} "
                                        f"({math.prod(scores)} values) and '{names[1]}' of shape {targets} "
                                        f"({math.prod(targets)} values)", 1)
        return Inferred(tops=[()], workspace={"divisor": Array((), "float64")})

    def forward(self, ctx, bottoms, params, tops):
        x = bottoms[0].data
        t = bottoms[1].data.reshape(x.shape)
        ignored = self._ignored(t)
        if ignored is not None:
            x, t = x[~ignored], t[~ignored]
        with np.errstate(invalid="ignore"):  # an infinite score gives NaN
            losses = np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
        shape = bottoms[0].shape
        divisor = self.normalization.divisor(shape[0], math.prod(shape[1:]), losses.size)
        ctx.workspace["divisor"][...] = divisor
        tops[0].data[...] = losses.sum(dtype=np.float64) / divisor

    def backward(self, ctx, tops, params, bottoms, need):
        if not need.bottoms[0]:
            return
        dx = bottoms[0].diff
        t = bottoms[1].data.reshape(dx.shape)
        K.sigmoid_forward(bottoms[0].data, dx)
        np.subtract(dx, t, out=dx)
        K.scale(float(tops[0].diff) / float(ctx.workspace["divisor"]), dx, dx)
        ignored = self._ignored(t)
        if ignored is not None:
            dx[ignored] = 0

    def _ignored(self, targets):
        """Where a target does not count, or None where all do."""
        if self.normalization.ignore is None:
            return None
        return np.trunc(targets) == self.normalization.ignore
