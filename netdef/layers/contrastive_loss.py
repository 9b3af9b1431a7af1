"""ContrastiveLoss: the loss of pairs, for siamese nets."""
from __future__ import annotations

import numpy as np

from netdef.errors import DataError
from netdef.layers.base import Array, Inferred, Layer, exactly
from netdef.layers.losses import check_item_labels, check_same_items
from netdef.layers.registry import register

NEAR = 1e-4  # added to a distance before the gradient is divided by it, as in Caffe


@register("ContrastiveLoss")
class ContrastiveLoss(Layer):
    r"""Draws the features of similar pairs together and pushes those of others ``margin`` apart.

    Formula: d = sqrt(sum of (a - b)^2) of an item;  y = 1/(2N) sum of s d^2 + (1 - s) max(margin - d, 0)^2, s being 1
    for similar pairs and else 0;  da = w/N (a - b) where s is 1, -w/N (margin - d) / (d + 1e-4) (a - b) where it is 0 and
    d < margin;  db = -da, with the loss weight w. ``legacy_version``: max(margin - d^2, 0) in place of the square, and
    da = -w/N (a - b) where d^2 < margin.

    Shapes: features a and b (N, ...) of one shape but for axes of 1, labels (N) or (N, 1, ...). Top: a scalar (). a and b
    get a gradient, labels none.

    Numerical care: the 1e-4 keeps the gradient of a dissimilar pair in one place finite (it is 0 there, and such a pair
    stays together), and makes that of others smaller by 1e-4 / d than the formula of y says. Labels are cut to whole
    numbers, as in Caffe, and any but 0 means similar.

    Source: BVLC Caffe, contrastive_loss_layer; Hadsell, Chopra and LeCun, Dimensionality Reduction by Learning an
    Invariant Mapping, CVPR 2006.

    Example::

        layer { name: "data" type: "Input" top: "a" top: "b" top: "similar"
                input_param { shape { dim: 4 dim: 2 } shape { dim: 4 dim: 2 } shape { dim: 4 } } }
        layer { name: "loss" type: "ContrastiveLoss" bottom: "a" bottom: "b" bottom: "similar" top: "loss"
                contrastive_loss_param { margin: 2 } }
    """

    options_field = "contrastive_loss_param"
    bottoms = exactly(3)
    differentiable = (True, True, False)
    is_loss = True
    backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        a, b, similar = (tuple(s) for s in bottom_shapes)
        check_same_items(self.spec, a, b)
        check_item_labels(self.spec, a, similar, 2)
        return Inferred(tops=[()], scratch={"difference": Array(a)}, workspace={"square": Array(a[:1])})

    def forward(self, ctx, bottoms, params, tops):
        square = ctx.workspace["square"]
        difference = ctx.scratch["difference"]
        with np.errstate(invalid="ignore"):  # inf - inf is NaN, as it should be
            np.subtract(bottoms[0].data, bottoms[1].data.reshape(difference.shape), out=difference)
        flat = difference.reshape(len(square), -1) if difference.size else difference.reshape(len(square), 0)
        np.einsum("ij,ij->i", flat, flat, out=square)
        missing = self._missing(square)
        apart = missing if self.options.legacy_version else missing**2
        total = np.where(self._similar(bottoms[2].data), square, apart).sum(dtype=np.float64)
        tops[0].data[...] = total / (2 * max(1, len(square)))

    def _missing(self, square):
        """How far each pair is from the margin, at least 0."""
        distance = square if self.options.legacy_version else np.sqrt(square)
        return np.maximum(square.dtype.type(self.options.margin) - distance, 0)

    def _similar(self, labels):
        if not np.isfinite(labels).all():
            item = int(np.argmin(np.isfinite(labels.reshape(-1))))
            raise DataError(f"{self.spec.who}: label blob '{self.spec.message.bottom[2]}', item {item} of the batch: "
                            f"expected 1 (similar) or 0, got {labels.reshape(-1)[item]:g}",
                            where=self.spec.span("bottom", 2))
        return np.trunc(labels.reshape(-1)) != 0

    def backward(self, ctx, tops, params, bottoms, need):
        square = ctx.workspace["square"]
        missing = self._missing(square)
        push = (missing > 0).astype(square.dtype) if self.options.legacy_version else missing / (np.sqrt(square) + NEAR)
        factor = np.where(self._similar(bottoms[2].data), 1, -push) * (float(tops[0].diff) / max(1, len(square)))
        for i in (0, 1):
            if need.bottoms[i]:
                own, dx = bottoms[i].data, bottoms[i].diff
                with np.errstate(invalid="ignore"):
                    np.subtract(own, bottoms[1 - i].data.reshape(own.shape), out=dx)
                    dx *= factor.astype(dx.dtype).reshape(-1, *(1,) * (dx.ndim - 1))
