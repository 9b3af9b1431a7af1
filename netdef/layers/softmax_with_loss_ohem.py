"""SoftmaxWithLossOHEM: the loss of classification, and each region's share of it."""
from __future__ import annotations

import numpy as np

from netdef.kernels.reference.softmax import SMALLEST_NORMAL
from netdef.layers import targets
from netdef.layers.base import Inferred, between, exactly
from netdef.layers.registry import register
from netdef.layers.softmax import as_three
from netdef.layers.softmax_loss import SoftmaxWithLoss


@register("SoftmaxWithLossOHEM")
class SoftmaxWithLossOHEM(SoftmaxWithLoss):
    r"""Softmax and the multinomial logistic loss in one, with the loss of each place as a blob, by which hard regions are picked.

    Formula: p = softmax(x);  y''[place] = -log max(p_label, 1.17549e-38), 0 where the label is ``ignore_label``;
    y = 1/Z sum of y'';  dx_c = w / Z (p_c - [c = label]) with the loss weight w, 0 where the label is ignored.
    Z by ``loss_param { normalization }``: VALID (default) places not ignored, FULL all places, BATCH_SIZE items, PRE_FIXED the
    number ``pre_fixed_normalizer``, NONE 1; at least 1. The legacy ``normalize`` (true: VALID, false: BATCH_SIZE) is read where
    ``normalization`` is not given.

    Shapes: scores (N, C, ...), labels with one value for each place, (N) or (N, 1, ...); C is ``softmax_param { axis }``,
    default 1. Tops: a scalar (); the probabilities, in the shape of the scores; the losses of the places, in the shape of the
    labels, not divided by anything. Only the first passes a gradient down. Labels get none.

    Numerical care: as for SoftmaxWithLoss. R-FCN's own layer knows no PRE_FIXED; here it works as in SmoothL1LossOHEM.

    Source: Dai, Li, He and Sun, R-FCN: Object Detection via Region-based Fully Convolutional Networks, NeurIPS 2016; the layer
    of R-FCN's Caffe.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "label"
                input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
        layer { name: "loss" type: "SoftmaxWithLossOHEM" bottom: "score" bottom: "label" top: "loss" top: "prob"
                top: "loss_by_region" loss_param { ignore_label: -1 } }
    """

    bottoms = exactly(2)
    tops = between(1, 3)

    def __init__(self, spec):
        super().__init__(spec)
        targets.refuse(spec, "label_smoothing", "class_weight")

    def infer(self, bottom_shapes):
        found = super().infer(bottom_shapes)
        tops = [*found.tops, tuple(bottom_shapes[1])][: self.spec.num_tops]
        return Inferred(tops=tops, workspace=found.workspace, scratch=found.scratch)

    def _shares(self, scores, labels):
        return False  # a label is always the number of a class

    def forward(self, ctx, bottoms, params, tops):
        super().forward(ctx, bottoms, params, tops)
        if len(tops) > 2:
            prob = as_three(ctx.workspace["prob"], self.options.axis)
            labels = bottoms[1].data.reshape(prob.shape[0], prob.shape[2])
            counts = np.ones(labels.shape, bool) if self.normalization.ignore is None else labels != self.normalization.ignore
            own = np.take_along_axis(prob, np.where(counts, labels, 0).astype(np.int64)[:, None, :], axis=1)[:, 0, :]
            losses = -np.log(np.maximum(own, SMALLEST_NORMAL))
            tops[2].data[...] = np.where(counts, losses, 0).reshape(tops[2].shape)
