"""SmoothL1LossOHEM: the loss of box regression, and each region's share of it."""
from __future__ import annotations

import math

import numpy as np

from netdef.layers import targets
from netdef.layers.base import Inferred, Layer, Shape, between
from netdef.layers.losses import Normalization
from netdef.layers.registry import register
from netdef.layers.smooth_l1_loss import SmoothL1Loss


@register("SmoothL1LossOHEM")
class SmoothL1LossOHEM(SmoothL1Loss):
    r"""Smooth L1 loss that also gives the loss of each region, by which the hardest ones are picked.

    Formula: d = weight (a - b);  f(d) = d^2 / 2 where |d| < 1, else |d| - 1/2;  y = sum of f(d) / Z;  y'[n, 0, h, w] = sum over
    c of f(d)[n, c, h, w];  da = w/Z weight f'(d), f'(d) = d or the sign of d;  db = -da, with the loss weight w.
    Z by ``loss_param { normalization }``: VALID (default) and FULL places N H W, BATCH_SIZE items N, PRE_FIXED the number
    ``pre_fixed_normalizer``, NONE 1; at least 1. The legacy ``normalize`` (true: VALID, false: BATCH_SIZE) is read where
    ``normalization`` is not given.

    Shapes: a and b (N, C, ...) with as many values, of regions (R, 4 K) or (R, 4 K, 1, 1); optionally weights with as many.
    Top: a scalar (); a second top (N, 1, H, W) gets the losses of the regions, not divided by anything, and passes no gradient
    down. a and b get a gradient, weights none.

    Numerical care: unlike SmoothL1Loss the sum is divided by the places, not by N, and there is no sigma. In R-FCN the
    gradient leaves the weights out, which is the same for weights of 0 and 1.

    Source: Dai, Li, He and Sun, R-FCN: Object Detection via Region-based Fully Convolutional Networks, NeurIPS 2016; the layer
    of R-FCN's Caffe.

    Example::

        layer { name: "data" type: "Input" top: "guess" top: "truth" top: "weights"
                input_param { shape { dim: 3 dim: 8 dim: 1 dim: 1 } } }
        layer { name: "loss" type: "SmoothL1LossOHEM" bottom: "guess" bottom: "truth" bottom: "weights" top: "loss"
                top: "loss_by_region" loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 128 } }
    """

    options_field = None  # type: ignore[assignment]
    bottoms = between(2, 3)
    tops = between(1, 2)
    constraints = {}

    def __init__(self, spec):
        Layer.__init__(self, spec)
        self.square = 1.0
        self.normalization = Normalization.read(spec, "VALID")
        targets.refuse(spec, "ignore_label", "label_smoothing", "class_weight")

    def infer(self, bottom_shapes):
        found, shape = super().infer(bottom_shapes), tuple(bottom_shapes[0])
        if len(shape) < 2:
            raise self.spec.shape_error(f"expected a bottom of at least two axes (N, C, ...), got {shape}", 0)
        by_region = (shape[0], 1, *shape[2:], *(1,) * (4 - len(shape)))
        return Inferred(tops=[(), by_region][: self.spec.num_tops], scratch=found.scratch)

    def forward(self, ctx, bottoms, params, tops):
        super().forward(ctx, bottoms, params, tops)
        if len(tops) > 1:
            losses = ctx.scratch["losses"]
            np.sum(losses, axis=1, keepdims=True, out=tops[1].data.reshape(losses.shape[0], 1, *losses.shape[2:]))

    def _divisor(self, shape: Shape) -> float:
        inner = math.prod(shape[2:])
        return self.normalization.divisor(shape[0], inner, shape[0] * inner)
