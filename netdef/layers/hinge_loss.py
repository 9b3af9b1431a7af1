"""HingeLoss: the loss of linear support vector machines."""
from __future__ import annotations

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, exactly
from netdef.layers.losses import check_item_labels, check_labels
from netdef.layers.registry import register

SQUARED = 2  # HingeLossParameter.L2


@register("HingeLoss")
class HingeLoss(Layer):
    r"""Asks the score of the right class to be at least 1 and all others to be at most -1, each on its own.

    Formula: with t = 1 for the right class and -1 for the others, m = max(0, 1 - t x);  L1: y = sum of m / N,
    dx = -w t / N where m > 0;  L2: y = sum of m^2 / N, dx = -2 w t m / N, with the loss weight w.

    Shapes: scores (N, ...), all values of an item being its classes; labels (N) or (N, 1, ...). Top: a scalar (). Labels
    get no gradient.

    Numerical care: at exactly m = 0 the gradient is 0. Each class is compared with 0 and not with the other classes. A
    label that is no class is an error.

    Source: BVLC Caffe, hinge_loss_layer; Rifkin and Klautau, In Defense of One-Vs-All Classification, JMLR 2004.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "label"
                input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
        layer { name: "loss" type: "HingeLoss" bottom: "score" bottom: "label" top: "loss" hinge_loss_param { norm: L2 } }
    """

    options_field = "hinge_loss_param"
    bottoms = exactly(2)
    differentiable = (True, False)
    is_loss = True
    backward_reads = frozenset({"bottoms"})

    def __init__(self, spec):
        super().__init__(spec)
        self.squared = self.options.norm == SQUARED

    def infer(self, bottom_shapes):
        scores, labels = (tuple(s) for s in bottom_shapes)
        check_item_labels(self.spec, scores, labels)
        return Inferred(tops=[()], scratch={"margins": Array(scores)})

    def forward(self, ctx, bottoms, params, tops):
        margins = ctx.scratch["margins"]
        n = len(margins)
        check_labels(self.spec, bottoms[1].data, margins[0].size if n else 1, None)
        self._margins(bottoms, margins)
        total = K.sum_squares(margins) if self.squared else margins.sum(dtype=np.float64)
        tops[0].data[...] = total / max(1, n)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            dx = bottoms[0].diff
            own = self._margins(bottoms, dx)
            if not self.squared:
                np.sign(dx, out=dx)
            dx.reshape(-1)[own] *= -1
            K.scale((2 if self.squared else 1) * float(tops[0].diff) / max(1, len(dx)), dx, dx)

    @staticmethod
    def _margins(bottoms, out):
        """out = max(0, 1 - t x); the flat places of the right classes."""
        n = len(out)
        own = np.arange(n) * (out.size // max(1, n)) + bottoms[1].data.reshape(-1).astype(np.int64)
        out[...] = bottoms[0].data
        out.reshape(-1)[own] *= -1
        np.add(out, 1, out=out)
        np.maximum(out, 0, out=out)
        return own
