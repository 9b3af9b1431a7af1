"""LabelSpecificAdd: a margin for the right class."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer, exactly
from netdef.layers.losses import check_item_labels, check_labels
from netdef.layers.registry import register


@register("LabelSpecificAdd")
class LabelSpecificAdd(Layer):
    r"""Adds a number, usually below 0, to the score of the right class in training, so that it must win by a margin (AM-Softmax).

    Formula, TRAIN: y_c = x_c, but y_label = x_label + b where x_label > -b;  dx = dy. b is ``bias``; with ``bias_base`` it moves
    with the pass i, counted from ``iteration``: bias_base + (1 + bias_gamma i)^bias_power - 1, at least ``bias_min`` and at most
    ``bias_max``.

    Formula, TEST: y = x;  dx = dy.

    Shapes: scores (N, C, ...), C values an item; labels, one for each item; top as the scores. Labels get no gradient.

    Numerical care: y jumps at x_label = -b, and the gradient does not see it. A label that is no class is an error. The fork
    counts passes from the start of the program, here a resumed training goes on counting.

    Source: Wang, Cheng, Liu and Liu, Additive Margin Softmax for Face Verification, 2018; happynear/caffe-windows, whose
    files give its options number 241.

    Example::

        layer { name: "data" type: "Input" top: "cosine" top: "label"
                input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
        layer { name: "margin" type: "LabelSpecificAdd" bottom: "cosine" bottom: "label" top: "margin"
                label_specific_add_param { bias: -0.35 } }
    """

    options_field = "label_specific_add_param"
    bottoms = exactly(2)
    differentiable = (True, False)
    in_place = "yes"
    backward_reads = frozenset()

    def infer(self, bottom_shapes):
        scores = tuple(bottom_shapes[0])
        if len(scores) < 2:
            raise self.spec.shape_error(f"expected scores of at least two axes (N, C), got {scores}", 0)
        check_item_labels(self.spec, scores, tuple(bottom_shapes[1]))
        return Inferred(tops=[scores])

    def forward(self, ctx, bottoms, params, tops):
        x, labels, y = bottoms[0].data, bottoms[1].data, tops[0].data
        if y is not x:
            y[...] = x
        if ctx.phase != "TRAIN":
            return
        flat = y.reshape(y.shape[0], int(np.prod(y.shape[1:])))
        check_labels(self.spec, labels, flat.shape[1], None)
        at, bias = (np.arange(len(flat)), labels.reshape(-1).astype(np.int64)), self._bias(ctx.iteration)
        own = flat[at]
        flat[at] = np.where(own > -bias, own + bias, own)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0] and bottoms[0].diff is not tops[0].diff:
            bottoms[0].diff[...] = tops[0].diff

    def _bias(self, iteration: int) -> float:
        o = self.options
        if not self.spec.has("bias_base"):
            return float(o.bias)
        moved = o.bias_base + (1 + o.bias_gamma * (o.iteration + iteration)) ** o.bias_power - 1
        return float(min(max(moved, o.bias_min), o.bias_max))
