"""SmoothL1Loss: the loss of box regression."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Array, Inferred, Layer, Shape, between
from netdef.layers.constraints import Constraint
from netdef.layers.losses import check_same_items
from netdef.layers.registry import register


@register("SmoothL1Loss")
class SmoothL1Loss(Layer):
    r"""Grows like the square of small differences and like the magnitude of large ones, so that outliers pull less.

    Formula: d = inside (a - b);  f(d) = sigma^2 d^2 / 2 where |d| < 1 / sigma^2, else |d| - 1 / (2 sigma^2);
    y = sum of outside f(d) / N;  da = w/N outside inside f'(d), f'(d) = sigma^2 d or the sign of d;  db = -da, with the
    loss weight w.

    Shapes: a and b (N, ...) with as many values; optionally inside weights, and after them outside weights, with as many
    values (default 1). Top: a scalar (). a and b get a gradient, weights none.

    Numerical care: N is the size of axis 0, not the number of values: the maps of a region proposal net have N = 1, and
    their outside weights do the averaging. The two parts meet with equal slope. In SSD (3 bottoms) the gradient leaves
    the inside weights out, which is the same for weights of 0 and 1.

    Source: Girshick, Fast R-CNN, ICCV 2015; py-faster-rcnn's smooth_L1_loss_layer (2 or 4 bottoms, sigma) and SSD's (2 or
    3 bottoms).

    Example::

        layer { name: "data" type: "Input" top: "guess" top: "truth" top: "inside" top: "outside"
                input_param { shape { dim: 2 dim: 4 } } }
        layer { name: "loss" type: "SmoothL1Loss" bottom: "guess" bottom: "truth" bottom: "inside" bottom: "outside"
                top: "loss" smooth_l1_loss_param { sigma: 3 } }
    """

    options_field = "smooth_l1_loss_param"
    bottoms = between(2, 4)
    differentiable = (True, True, False)
    is_loss = True
    backward_reads = frozenset({"bottoms"})
    constraints = {"sigma": Constraint(low=0, low_open=True)}

    def __init__(self, spec):
        super().__init__(spec)
        self.square = float(self.options.sigma) ** 2

    def infer(self, bottom_shapes):
        shapes = [tuple(s) for s in bottom_shapes]
        for i, shape in enumerate(shapes[1:], 1):
            check_same_items(self.spec, shapes[0], shape, i)
        return Inferred(tops=[()], scratch={"difference": Array(shapes[0]), "losses": Array(shapes[0])})

    def forward(self, ctx, bottoms, params, tops):
        d, losses = ctx.scratch["difference"], ctx.scratch["losses"]
        self._difference(bottoms, 0, d)
        np.abs(d, out=d)
        np.multiply(d, d, out=losses)
        losses *= self.square / 2
        beyond = ~(d < 1 / self.square)  # a NaN stays one
        np.subtract(d, 0.5 / self.square, out=losses, where=beyond)
        if len(bottoms) > 3:
            losses *= bottoms[3].data.reshape(losses.shape)
        tops[0].data[...] = losses.sum(dtype=np.float64) / self._divisor(losses.shape)

    def backward(self, ctx, tops, params, bottoms, need):
        for i in (0, 1):
            if need.bottoms[i]:
                dx = bottoms[i].diff
                self._difference(bottoms, i, dx)
                beyond = ~(np.abs(dx) < 1 / self.square)
                signs = np.sign(dx, out=ctx.scratch["losses"].reshape(dx.shape), where=beyond)
                dx *= self.square
                np.copyto(dx, signs, where=beyond)
                for weights in bottoms[2:]:
                    dx *= weights.data.reshape(dx.shape)
                dx *= float(tops[0].diff) / self._divisor(dx.shape)

    def _divisor(self, shape: Shape) -> float:
        """What the sum of the losses of this shape is divided by."""
        return max(1, shape[0])

    @staticmethod
    def _difference(bottoms, i, out):
        """out = inside * (bottom i - the other one), in the shape of bottom i."""
        with np.errstate(invalid="ignore"):  # inf - inf is NaN, as it should be
            np.subtract(bottoms[i].data, bottoms[1 - i].data.reshape(out.shape), out=out)
        if len(bottoms) > 2:
            out *= bottoms[2].data.reshape(out.shape)
