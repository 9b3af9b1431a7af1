"""Accuracy: how often the right class scores best."""
from __future__ import annotations

import numpy as np

from netdef.errors import warn
from netdef.layers.base import Inferred, Layer, between, check_axis, exactly
from netdef.layers.constraints import positive
from netdef.layers.losses import check_label_count, check_labels
from netdef.layers.registry import register
from netdef.layers.softmax import as_three


@register("Accuracy")
class Accuracy(Layer):
    r"""The fraction of labels whose class is among the ``top_k`` best scores.

    Formula: a place is right if fewer than ``top_k`` other classes score at least as much as its label;
    y = right places / places whose label is not ``ignore_label`` (0 if there are none). The optional second top holds
    the same fraction for each class (0 for a class without labels).

    Shapes: scores (N, C, ...), labels with one value for each place, (N) or (N, ...); C is ``axis``, default 1. Tops: a
    scalar (), and (C). There is no gradient.

    Numerical care: ties count against the label, so that a net with equal scores is wrong everywhere. A place with a
    NaN among its scores counts as wrong, with a warning (Caffe counts it as right: a net full of NaN shows an accuracy
    of 1). A label that is no class is an error.

    Source: BVLC Caffe, accuracy_layer.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "label"
                input_param { shape { dim: 2 dim: 10 } shape { dim: 2 } } }
        layer { name: "accuracy" type: "Accuracy" bottom: "score" bottom: "label" top: "accuracy" top: "per_class"
                accuracy_param { top_k: 1 } }
    """

    options_field = "accuracy_param"
    bottoms = exactly(2)
    tops = between(1, 2)
    differentiable = False
    backward_reads = frozenset()
    constraints = {"top_k": positive()}

    def __init__(self, spec):
        super().__init__(spec)
        self.ignore = self.options.ignore_label if spec.has("ignore_label") else None
        self.warned = False

    def infer(self, bottom_shapes):
        scores, labels = (tuple(s) for s in bottom_shapes)
        axis = check_axis(self.spec, self.options.axis, len(scores))
        check_label_count(self.spec, scores, labels, axis)
        if self.options.top_k > scores[axis]:
            raise self.spec.shape_error(f"expected top_k of at most the number of classes ({scores[axis]}), got "
                                        f"{self.options.top_k}", 0, "top_k")
        return Inferred(tops=[(), (scores[axis],)][: self.spec.num_tops])

    def forward(self, ctx, bottoms, params, tops):
        scores = as_three(bottoms[0].data, self.options.axis)  # (outer, classes, inner)
        outer, classes, inner = scores.shape
        check_labels(self.spec, bottoms[1].data, classes, self.ignore)
        labels = bottoms[1].data.reshape(outer, inner).astype(np.int64)
        counts = np.ones(labels.shape, bool) if self.ignore is None else labels != self.ignore
        right = self._right(scores, np.where(counts, labels, 0)) & counts
        tops[0].data[...] = right.sum() / max(1, counts.sum())
        if len(tops) > 1:
            seen = np.bincount(labels[counts], minlength=classes)
            tops[1].data[...] = np.bincount(labels[right], minlength=classes) / np.maximum(seen, 1)

    def _right(self, scores, labels):
        """Which places are right, (outer, inner)."""
        own = np.take_along_axis(scores, labels[:, None, :], axis=1) if scores.size else scores[:, :1]
        rivals = (scores >= own).sum(axis=1) - 1  # the label's own class is one of those counted
        nan = np.isnan(scores).any(axis=1)
        if nan.any() and not self.warned:
            self.warned = True
            warn(f"{self.spec.who}: {int(nan.sum())} of {nan.size} places have NaN among their scores, which counts as "
                 "wrong", self.spec.span("bottom", 0))
        return (rivals < self.options.top_k) & ~nan
