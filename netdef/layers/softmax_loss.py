"""SoftmaxWithLoss: the loss of classification."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.kernels.reference.softmax import SMALLEST_NORMAL
from netdef.layers import targets
from netdef.layers.base import Array, Inferred, Layer, Shape, between, check_axis
from netdef.layers.losses import Normalization, check_first_axes, check_label_count, check_labels
from netdef.layers.registry import register
from netdef.layers.softmax import as_three, check_softmax


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(Layer):
    r"""Softmax and the multinomial logistic loss in one: minus the mean log probability of the right class.

    Formula: p = softmax(x);  y = -1/Z sum over places of log max(p_label, 1.17549e-38);
    dx_c = w / Z (p_c - [c = label]) with the loss weight w. Places whose label is ``ignore_label`` count neither in y
    nor in dx.
    Z by ``normalization``: VALID (default) places not ignored, FULL all places, BATCH_SIZE items, NONE 1; at least 1.
    The legacy ``normalize`` (true: VALID, false: BATCH_SIZE) is read where ``normalization`` is not given.

    Beyond one class a place the label becomes a share t_c of each class, and y = -1/Z sum of t_c log p_c;
    dx_c = w / Z (p_c sum(t) - t_c): labels in the shape of the scores are divided by their sum at each place (each of k
    labels of 1 counts 1/k; a place without any, or full of ``ignore_label``, does not count);
    ``loss_param { label_smoothing: e }`` makes them (1 - e) t + e / C; ``loss_param { class_weight }`` multiplies t_c by
    the weight of class c, and a third bottom by a weight for each item or place. Weights do not change Z.

    Shapes: scores (N, C, ...), labels with one value for each place, (N) or (N, 1, ...) or (N, ...), or in the shape of
    the scores (where C is not 1); C is ``softmax_param { axis }``, default 1. Weights: (N), or one for each place. Top:
    a scalar (); a second top gets the probabilities, in the shape of the scores, and passes no gradient down. Labels and
    weights get no gradient.

    Numerical care: the clamp at the smallest normal float32 holds each place's loss to at most 87.33654; a net that
    shows this number has diverged, or its labels are wrong. A label that is no class is an error here (Caffe reads
    whatever lies there in memory). The gradient is formed from p, without dividing by it.

    Source: BVLC Caffe, softmax_loss_layer; Bishop, Pattern Recognition and Machine Learning, section 4.3.4;
    label smoothing: Szegedy et al., Rethinking the Inception Architecture, CVPR 2016, section 7.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "label"
                input_param { shape { dim: 2 dim: 10 } shape { dim: 2 } } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
                loss_param { ignore_label: 255 normalization: VALID } }
    """

    options_field = "softmax_param"
    bottoms = between(2, 3)
    tops = between(1, 2)
    differentiable = (True, False)
    is_loss = True
    backward_reads = frozenset({"bottoms"})

    def __init__(self, spec):
        super().__init__(spec)
        check_softmax(spec)
        self.normalization = Normalization.read(spec, "VALID")
        self.smoothing = targets.read_smoothing(spec)
        self.class_weights = targets.read_class_weights(spec)

    def infer(self, bottom_shapes):
        scores, labels = (tuple(s) for s in bottom_shapes[:2])
        axis = check_axis(self.spec, self.options.axis, len(scores))
        check_first_axes(self.spec, scores, labels)
        shares = self._shares(scores, labels)
        if not shares:
            check_label_count(self.spec, scores, labels, axis, "labels are class numbers, or one number a score: "
                              "shares of the classes, or 0 and 1 for several labels")
        targets.check_class_count(self.spec, self.class_weights, scores[axis])
        if len(bottom_shapes) > 2:
            self._check_weights(scores, tuple(bottom_shapes[2]), axis)
        workspace, scratch = {"prob": Array(scores), "divisor": Array((), "float64")}, {}
        if shares or self.smoothing or self.class_weights or len(bottom_shapes) > 2:
            workspace["target"] = scratch["terms"] = Array(scores)
        return Inferred(tops=[(), scores][: self.spec.num_tops], workspace=workspace, scratch=scratch)

    def _shares(self, scores: Shape, labels: Shape) -> bool:
        """Whether labels hold a number for each class instead of the number of one class."""
        return scores == labels and scores[self.options.axis] != 1

    def _check_weights(self, scores: Shape, weights: Shape, axis: int) -> None:
        places = math.prod((*scores[:axis], *scores[axis + 1:]))
        if math.prod(weights) not in (scores[0], places):
            names = self.spec.message.bottom
            raise self.spec.shape_error(
                f"expected one weight for each of the {scores[0]} items or {places} places of '{names[0]}' (shape "
                f"{scores}, class axis {axis}), got '{names[2]}' of shape {weights}", 2)

    def forward(self, ctx, bottoms, params, tops):
        prob = as_three(ctx.workspace["prob"], self.options.axis)
        outer, classes, inner = prob.shape
        K.softmax_forward(as_three(bottoms[0].data, self.options.axis), prob)
        if "target" in ctx.workspace:
            target, valid = self._target(ctx, bottoms)
            total = targets.loss(prob, target, SMALLEST_NORMAL, as_three(ctx.scratch["terms"], self.options.axis))
        else:
            check_labels(self.spec, bottoms[1].data, classes, self.normalization.ignore)
            total, valid, _ = K.softmax_loss_forward(prob, bottoms[1].data.reshape(outer, inner),
                                                     self.normalization.ignore)
        divisor = self.normalization.divisor(outer, inner, valid)
        ctx.workspace["divisor"][...] = divisor
        tops[0].data[...] = total / divisor
        if len(tops) > 1:
            tops[1].data[...] = ctx.workspace["prob"]

    def _target(self, ctx, bottoms):
        """The targets with all weights in them, (outer, classes, inner), and how many places count."""
        target = as_three(ctx.workspace["target"], self.options.axis)
        outer, classes, inner = target.shape
        labels, ignore = bottoms[1].data, self.normalization.ignore
        if self._shares(bottoms[0].shape, bottoms[1].shape):
            counts = targets.from_shares(self.spec, as_three(labels, self.options.axis), ignore, target)
        else:
            check_labels(self.spec, labels, classes, ignore)
            counts = targets.from_classes(labels.reshape(outer, inner), ignore, target)
        if self.smoothing:
            targets.smooth(target, counts, self.smoothing)
        if self.class_weights:
            target *= np.array(self.class_weights, target.dtype)[:, None]
        if len(bottoms) > 2:
            weights = bottoms[2].data
            if weights.size == outer * inner:
                target *= weights.reshape(outer, 1, inner)
            else:  # one an item, which may have several slices before the class axis
                target *= np.repeat(weights.reshape(-1), outer // weights.size)[:, None, None]
        return target, int(counts.sum())

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            prob = as_three(ctx.workspace["prob"], self.options.axis)
            scale = float(tops[0].diff) / float(ctx.workspace["divisor"])
            dx = as_three(bottoms[0].diff, self.options.axis)
            if "target" in ctx.workspace:
                targets.gradient(prob, as_three(ctx.workspace["target"], self.options.axis), scale, dx)
            else:
                labels = bottoms[1].data.reshape(prob.shape[0], prob.shape[2])
                K.softmax_loss_backward(prob, labels, self.normalization.ignore, scale, dx)
