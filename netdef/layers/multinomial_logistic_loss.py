"""MultinomialLogisticLoss: cross-entropy of probabilities."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer, exactly
from netdef.layers.losses import check_item_labels, check_labels
from netdef.layers.registry import register

SMALLEST = 1e-20  # Caffe's kLOG_THRESHOLD: -log of it is 46.0517


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(Layer):
    r"""Minus the mean log probability of the right class, of probabilities that are probabilities already.

    Formula: y = -1/N sum of log max(p_label, 1e-20);  dp_label = -w / (N max(p_label, 1e-20)) with the loss weight w,
    0 for the other classes.

    Shapes: probabilities (N, ...), all values of an item being its classes; labels (N) or (N, 1, ...). Top: a scalar ().
    Labels get no gradient.

    Numerical care: prefer SoftmaxWithLoss to a Softmax with this behind it: here the gradient is divided by p, and a
    probability of 0 gives one of 1e20. The clamp at 1e-20 holds each item's loss to 46.0517. A label that is no class is
    an error.

    Source: BVLC Caffe, multinomial_logistic_loss_layer.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "label"
                input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
        layer { name: "prob" type: "Softmax" bottom: "score" top: "prob" }
        layer { name: "loss" type: "MultinomialLogisticLoss" bottom: "prob" bottom: "label" top: "loss" }
    """

    bottoms = exactly(2)
    differentiable = (True, False)
    is_loss = True
    backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        check_item_labels(self.spec, *(tuple(s) for s in bottom_shapes))
        return Inferred(tops=[()])

    def forward(self, ctx, bottoms, params, tops):
        n, classes = len(bottoms[0].data), classes_of(bottoms[0])
        check_labels(self.spec, bottoms[1].data, classes, None)
        tops[0].data[...] = -np.log(self._right(bottoms)[1], dtype=np.float64).sum() / max(1, n)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            places, right = self._right(bottoms)
            dp = bottoms[0].diff
            dp[...] = 0
            dp.reshape(-1)[places] = -float(tops[0].diff) / max(1, len(dp)) / right

    @staticmethod
    def _right(bottoms):
        """The flat places of the right classes' probabilities, and these, clamped."""
        p = bottoms[0].data
        places = np.arange(len(p)) * classes_of(bottoms[0]) + bottoms[1].data.reshape(-1).astype(np.int64)
        return places, np.maximum(p.reshape(-1)[places], SMALLEST)


def classes_of(blob) -> int:
    """How many values an item of a blob (N, ...) has."""
    return int(np.prod(blob.shape[1:]))
