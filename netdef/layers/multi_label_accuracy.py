"""MultiLabelAccuracy: how often yes-or-no answers are right."""
from __future__ import annotations

import math

import numpy as np

from netdef.errors import warn
from netdef.layers.base import Inferred, Layer, between, exactly
from netdef.layers.losses import check_same_items
from netdef.layers.registry import register


@register("MultiLabelAccuracy")
class MultiLabelAccuracy(Layer):
    r"""The share of yes-or-no answers that are right, for items that may have any number of labels.

    Formula: an answer is right if x > threshold just where t > 0.5;  top 0 = right answers / answers;  top 1 = items
    with no wrong answer / items;  top 2 = for each label, right answers / answers (0 for a label without any). Answers
    whose target, cut to a whole number, is ``ignore_label`` are not counted, nor are items without any that is.

    Shapes: scores (N, C, ...) and as many targets; C is axis 1. Tops: (), and optionally () and (C). There is no
    gradient.

    Numerical care: the default threshold of 0 is meant for scores; a net that ends in a Sigmoid wants 0.5. A score that
    is NaN is wrong, with a warning. Where labels are rare, a net that always says no is right nearly always: look at
    the second and third top.

    Source: Tsoumakas and Katakis, Multi-Label Classification: An Overview, 2007 (one minus the Hamming loss, and
    subset accuracy).

    Example::

        layer { name: "data" type: "Input" top: "score" top: "target" input_param { shape { dim: 2 dim: 5 } } }
        layer { name: "accuracy" type: "MultiLabelAccuracy" bottom: "score" bottom: "target" top: "accuracy"
                top: "all_right" top: "per_label" multi_label_accuracy_param { ignore_label: -1 } }
    """

    options_field = "multi_label_accuracy_param"
    bottoms = exactly(2)
    tops = between(1, 3)
    differentiable = False
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        self.ignore = self.options.ignore_label if spec.has("ignore_label") else None
        self.warned = False

    def infer(self, bottom_shapes):
        scores, truths = (tuple(s) for s in bottom_shapes)
        if len(scores) < 2:
            raise self.spec.shape_error(f"expected scores of at least 2 axes, got the shape {scores}", 0)
        check_same_items(self.spec, scores, truths)
        return Inferred(tops=[(), (), (scores[1],)][: self.spec.num_tops])

    def forward(self, ctx, bottoms, params, tops):
        shape = bottoms[0].shape
        scores, truths = (b.data.reshape(shape[0], shape[1], math.prod(shape[2:])) for b in bottoms)
        counts = np.ones(scores.shape, bool) if self.ignore is None else np.trunc(truths) != self.ignore
        right = ((scores > self.options.threshold) == (truths > 0.5)) & self._numbers(scores) & counts
        tops[0].data[...] = right.sum() / max(1, counts.sum())
        if len(tops) > 1:
            asked = counts.any(axis=(1, 2))
            perfect = (right == counts).all(axis=(1, 2)) & asked
            tops[1].data[...] = perfect.sum() / max(1, asked.sum())
        if len(tops) > 2:
            tops[2].data[...] = right.sum(axis=(0, 2)) / np.maximum(1, counts.sum(axis=(0, 2)))

    def _numbers(self, scores):
        """Which scores are not NaN; warns once."""
        nan = np.isnan(scores)
        if nan.any() and not self.warned:
            self.warned = True
            warn(f"{self.spec.who}: {int(nan.sum())} of {nan.size} scores are NaN, which counts as wrong",
                 self.spec.span("bottom", 0))
        return ~nan
