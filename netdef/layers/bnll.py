"""BNLL: softplus, a smooth rectifier."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Array, Inferred, Layer
from netdef.layers.registry import register


@register("BNLL")
class BNLL(Layer):
    r"""Smooth rectifier, also called softplus (BNLL: binomial normal log likelihood).

    Formula: y = log(1 + e^x);  dx = dy / (1 + e^-x).

    Shapes: bottom any shape, top the same. In place only in a net that does not learn: the gradient needs x (Caffe
    computes a wrong one there without a word).

    Numerical care: computed as max(x, 0) + log1p(e^-|x|), and the gradient from e^-|x| too, so that nothing
    overflows and small results keep their digits.

    Source: BVLC Caffe, bnll_layer; softplus: Dugas, Bengio, Bélisle, Nadeau and Garcia, Incorporating Second-Order
    Functional Knowledge for Better Option Pricing, NIPS 2000.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "soft" type: "BNLL" bottom: "data" top: "soft" }
    """

    in_place = "values"
    backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]], scratch={"small": Array(bottom_shapes[0])})

    def forward(self, ctx, bottoms, params, tops):
        x, y = bottoms[0].data, tops[0].data
        small = _exp_minus_abs(x, ctx.scratch["small"])
        np.log1p(small, out=small)
        np.maximum(x, 0, out=y)
        y += small

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            x, dx = bottoms[0].data, bottoms[0].diff
            small = _exp_minus_abs(x, ctx.scratch["small"])
            np.add(small, 1, out=dx)
            np.copyto(small, 1, where=x > 0)
            np.divide(small, dx, out=dx)
            dx *= tops[0].diff


def _exp_minus_abs(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """out = e^-|x|, at most 1."""
    np.abs(x, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)
    return out
