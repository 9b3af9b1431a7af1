"""FocalLoss: cross-entropy for classes of very unequal size."""
from __future__ import annotations

import math

import numpy as np

from netdef.layers import targets
from netdef.layers.base import Array, Inferred, Layer, check_axis, exactly
from netdef.layers.constraints import Constraint, not_negative
from netdef.layers.losses import Normalization, check_first_axes, check_label_count, check_labels, check_same_items
from netdef.layers.registry import register
from netdef.layers.softmax import as_three

SIGMOID = 1  # FocalLossParameter.SIGMOID
ALPHA = 0.25


@register("FocalLoss")
class FocalLoss(Layer):
    r"""Cross-entropy that all but forgets what is right already, so that many easy places cannot drown a few hard ones.

    Formula, SOFTMAX: p = softmax(x), q = p_label;  y = -1/Z sum over places of alpha (1 - q)^gamma log q;
    dx_c = w / Z alpha (1 - q)^gamma (gamma q log q / (1 - q) - 1) ([c = label] - p_c) with the loss weight w.
    SIGMOID: p = 1 / (1 + exp(-x));  y = -1/Z sum over scores of t alpha (1 - p)^gamma log p +
    (1 - t) (1 - alpha) p^gamma log(1 - p). What has ``ignore_label`` counts in neither y nor dx. Z by
    ``loss_param { normalization }``, as for SoftmaxWithLoss: VALID by default; with ``per_positive`` the number of targets
    of at least 0.5, at least 1.

    Shapes: scores (N, C, ...). SOFTMAX: labels with one value for each place, (N) or (N, ...); C is ``axis``, default 1.
    SIGMOID: a target from 0 to 1 for each score. ``alpha``: one number, or C of them. Top: a scalar (). Labels get no
    gradient.

    Numerical care: logs are taken of the scores, not of rounded probabilities, and 1 - q is the sum of the other
    probabilities, so nothing is clamped and no digits are lost at either end. gamma 0 and alpha 1 give cross-entropy. A
    class number that is no class is an error.

    Source: Lin, Goyal, Girshick, He and Dollar, Focal Loss for Dense Object Detection, ICCV 2017.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "label"
                input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
        layer { name: "loss" type: "FocalLoss" bottom: "score" bottom: "label" top: "loss"
                focal_loss_param { gamma: 2 alpha: 0.25 } }
    """

    options_field = "focal_loss_param"
    bottoms = exactly(2)
    differentiable = (True, False)
    is_loss = True
    backward_reads = frozenset({"bottoms"})
    constraints = {"gamma": not_negative(), "alpha": Constraint(0, 1)}

    def __init__(self, spec):
        super().__init__(spec)
        targets.refuse(spec, "label_smoothing", "class_weight")
        self.normalization = Normalization.read(spec, "VALID")
        self.sigmoid = self.options.mode == SIGMOID
        if self.options.per_positive and not self.sigmoid:
            raise spec.error("belongs to the mode SIGMOID, got it with SOFTMAX", "per_positive")

    def infer(self, bottom_shapes):
        scores, labels = (tuple(s) for s in bottom_shapes)
        axis = check_axis(self.spec, self.options.axis, len(scores))
        if self.sigmoid:
            check_same_items(self.spec, scores, labels)
        else:
            check_first_axes(self.spec, scores, labels)
            check_label_count(self.spec, scores, labels, axis)
        if len(self.options.alpha) not in (0, 1, scores[axis]):
            raise self.spec.shape_error(f"alpha: expected one number, or one for each of the {scores[axis]} classes, "
                                        f"got {len(self.options.alpha)}", None, "alpha")
        return Inferred(tops=[()], workspace={"slope": Array(scores), "divisor": Array((), "float64")})

    def forward(self, ctx, bottoms, params, tops):
        """Losses and their derivatives share all their parts: both are made here."""
        x, slope = (as_three(a, self.options.axis) for a in (bottoms[0].data, ctx.workspace["slope"]))
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):  # infinite scores give NaN
            total, divisor = (self._sigmoid if self.sigmoid else self._softmax)(x, bottoms, slope)
        ctx.workspace["divisor"][...] = divisor
        tops[0].data[...] = total / divisor

    def _alpha(self, classes, dtype):
        """One number a class."""
        return np.broadcast_to(np.array(self.options.alpha or [ALPHA], dtype), (classes,))

    def _softmax(self, x, bottoms, slope):
        outer, classes, inner = x.shape
        check_labels(self.spec, bottoms[1].data, classes, self.normalization.ignore)
        labels = bottoms[1].data.reshape(outer, 1, inner)
        counts = np.ones(labels.shape, bool) if self.normalization.ignore is None else (
            labels != self.normalization.ignore)
        divisor = self.normalization.divisor(outer, inner, int(counts.sum()))
        if not x.size:
            return 0.0, divisor
        own = np.where(counts, labels, 0).astype(np.int64)
        shifted = x - x.max(axis=1, keepdims=True)
        others = np.exp(shifted)
        everything = others.sum(axis=1, keepdims=True)
        np.divide(others, everything, out=slope)  # the probabilities
        log_q = np.take_along_axis(shifted, own, axis=1) - np.log(everything)
        q = np.take_along_axis(slope, own, axis=1)
        np.put_along_axis(others, own, 0, axis=1)
        rest = others.sum(axis=1, keepdims=True) / everything  # 1 - q without cancellation
        factor = np.where(counts, self._alpha(classes, x.dtype)[own] * rest**self.options.gamma, 0)
        losses = np.where(counts, -factor * log_q, 0)
        ratio = np.where(rest > 0, log_q / rest, -1)  # its limit as q goes to 1
        outside = factor * (self.options.gamma * q * ratio - 1)
        np.put_along_axis(slope, own, -rest, axis=1)  # p_c, and p - 1 for the label
        slope *= -outside
        np.copyto(slope, 0, where=~counts)
        return losses.sum(dtype=np.float64), divisor

    def _sigmoid(self, x, bottoms, slope):
        t = bottoms[1].data.reshape(x.shape)
        counts = np.ones(t.shape, bool) if self.normalization.ignore is None else (
            np.trunc(t) != self.normalization.ignore)
        gamma, alpha = self.options.gamma, self._alpha(x.shape[1], x.dtype)[:, None]
        tail = np.log1p(np.exp(-np.abs(x)))
        minus_log_p, minus_log_rest = np.maximum(-x, 0) + tail, np.maximum(x, 0) + tail
        p, rest = np.exp(-minus_log_p), np.exp(-minus_log_rest)
        yes, no = t * alpha * rest**gamma, (1 - t) * (1 - alpha) * p**gamma
        losses = np.where(counts, yes * minus_log_p + no * minus_log_rest, 0)
        slope[...] = no * (gamma * rest * minus_log_rest + p) - yes * (gamma * p * minus_log_p + rest)
        np.copyto(slope, 0, where=~counts)
        if self.options.per_positive:
            divisor = max(1, int((counts & (t >= 0.5)).sum()))
        else:
            shape = bottoms[0].shape
            divisor = self.normalization.divisor(shape[0], math.prod(shape[1:]), int(counts.sum()))
        return losses.sum(dtype=np.float64), divisor

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            scale = float(tops[0].diff) / float(ctx.workspace["divisor"])
            np.multiply(ctx.workspace["slope"], scale, out=bottoms[0].diff)
