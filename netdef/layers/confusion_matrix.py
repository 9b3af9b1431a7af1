"""ConfusionMatrix: which classes are taken for which."""
from __future__ import annotations

import numpy as np

from netdef.errors import warn
from netdef.layers.base import Inferred, Layer, check_axis, exactly
from netdef.layers.losses import check_label_count, check_labels
from netdef.layers.registry import register
from netdef.layers.softmax import as_three

ALL, ROW = 1, 2  # ConfusionMatrixParameter.Norm


@register("ConfusionMatrix")
class ConfusionMatrix(Layer):
    r"""Counts how often each true class (row) is guessed as each class (column).

    Formula: y[l, c] = number of places whose label is l and whose best score is that of c; ``normalize``: ALL divides by
    the number of places counted, ROW by that of the row. Places whose label is ``ignore_label`` are not counted.

    Shapes: scores (N, C, ...), labels with one value for each place, (N) or (N, ...); C is ``axis``, default 1. Top:
    (C, C). There is no gradient.

    Numerical care: of equal scores the first class is the guess. A place with a NaN among its scores has no guess and is
    not counted, with a warning. Counts are exact in float32 up to 2^24. A label that is no class is an error. The
    diagonal's sum with ALL is the accuracy.

    Source: the contingency table of classification; Stehman, Selecting and Interpreting Measures of Thematic
    Classification Accuracy, 1997.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "label"
                input_param { shape { dim: 6 dim: 3 } shape { dim: 6 } } }
        layer { name: "confusion" type: "ConfusionMatrix" bottom: "score" bottom: "label" top: "confusion"
                confusion_matrix_param { normalize: ROW } }
    """

    options_field = "confusion_matrix_param"
    bottoms = exactly(2)
    differentiable = False
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        self.ignore = self.options.ignore_label if spec.has("ignore_label") else None
        self.warned = False

    def infer(self, bottom_shapes):
        scores, labels = (tuple(s) for s in bottom_shapes)
        axis = check_axis(self.spec, self.options.axis, len(scores))
        check_label_count(self.spec, scores, labels, axis)
        return Inferred(tops=[(scores[axis], scores[axis])])

    def forward(self, ctx, bottoms, params, tops):
        scores = as_three(bottoms[0].data, self.options.axis)  # (outer, classes, inner)
        outer, classes, inner = scores.shape
        check_labels(self.spec, bottoms[1].data, classes, self.ignore)
        matrix = np.zeros((classes, classes))
        if scores.size:
            labels = bottoms[1].data.reshape(outer, inner)
            counts = self._numbers(scores)
            if self.ignore is not None:
                counts &= labels != self.ignore
            pairs = labels[counts].astype(np.int64) * classes + scores.argmax(axis=1)[counts]
            matrix += np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
        if self.options.normalize == ALL:
            matrix /= max(1, matrix.sum())
        elif self.options.normalize == ROW:
            matrix /= np.maximum(1, matrix.sum(axis=1, keepdims=True))
        tops[0].data[...] = matrix

    def _numbers(self, scores):
        """Which places have no NaN among their scores, (outer, inner); warns once."""
        nan = np.isnan(scores).any(axis=1)
        if nan.any() and not self.warned:
            self.warned = True
            warn(f"{self.spec.who}: {int(nan.sum())} of {nan.size} places have NaN among their scores and are not "
                 "counted", self.spec.span("bottom", 0))
        return ~nan
