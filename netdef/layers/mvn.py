"""MVN: mean and variance normalisation of each item by itself."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, Shape
from netdef.layers.constraints import not_negative
from netdef.layers.registry import register


@register("MVN")
class MVN(Layer):
    r"""Brings each channel of each item (``across_channels``: each item) to mean 0 and variance 1; learns nothing.

    Formula: y = (x - m) / (s + eps) with the mean m and the standard deviation s (of the biased variance) over the
    channel's places; eps is added after the root, unlike BatchNorm's. With ``normalize_variance: false`` y = x - m.
    dx = (dy - mean(dy) - y * mean(dy * y) * (s + eps) / s) / (s + eps), or dy - mean(dy).

    Shapes: bottom (N, C, ...), top the same. In place is allowed.

    Numerical care: the variance comes from the centred values. Where all values are equal, y is 0 and so is the term
    with s. Caffe leaves the factor (s + eps) / s out of the gradient; it is 1 in float32 unless eps is large.

    Source: BVLC Caffe, mvn_layer; Jarrett, Kavukcuoglu, Ranzato and LeCun, What is the Best Multi-Stage Architecture
    for Object Recognition?, ICCV 2009.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
        layer { name: "mvn1" type: "MVN" bottom: "data" top: "mvn1" mvn_param { across_channels: true } }
    """

    options_field = "mvn_param"
    in_place = "yes"
    backward_reads = frozenset({"tops"})
    constraints = {"eps": not_negative()}

    def __init__(self, spec):
        super().__init__(spec)
        if not self.options.normalize_variance:
            self.backward_reads = frozenset()

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        if not shape:
            raise self.spec.shape_error("expected a bottom with at least one axis, got ()", 0)
        if not self.options.normalize_variance:
            return Inferred(tops=[shape])
        rows = (self._rows(shape)[1],)
        return Inferred(tops=[shape], workspace={"divisor": Array(rows), "gain": Array(rows)},
                        scratch={"mean": Array(rows, "float64"), "var": Array(rows, "float64"), "buffer": Array(shape)})

    def forward(self, ctx, bottoms, params, tops):
        x, y = (a.reshape(self._rows(a.shape)) for a in (bottoms[0].data, tops[0].data))
        if not self.options.normalize_variance:
            np.subtract(x, K.group_mean(x).astype(x.dtype)[:, None], out=y)
            return
        mean, var, divisor = ctx.scratch["mean"], ctx.scratch["var"], ctx.workspace["divisor"]
        K.standardize(x, self.options.eps, True, ctx.scratch["buffer"].reshape(x.shape), mean, var, divisor, y)
        deviation = np.sqrt(var)
        np.divide(divisor, deviation, out=ctx.workspace["gain"], where=deviation > 0, casting="same_kind")
        ctx.workspace["gain"][deviation == 0] = 0

    def backward(self, ctx, tops, params, bottoms, need):
        if not need.bottoms[0]:
            return
        dy, dx = (a.reshape(self._rows(a.shape)) for a in (tops[0].diff, bottoms[0].diff))
        if self.options.normalize_variance:
            K.standardize_backward(dy, tops[0].data.reshape(dy.shape), ctx.workspace["divisor"], ctx.workspace["gain"],
                                   ctx.scratch["buffer"].reshape(dy.shape), dx)
        else:
            np.subtract(dy, K.group_mean(dy).astype(dy.dtype)[:, None], out=dx)

    def _rows(self, shape: Shape) -> Shape:
        """(1, rows, values): each row is normalised by itself."""
        rows = math.prod(shape[: 1 if self.options.across_channels else 2])
        return (1, rows, math.prod(shape) // rows if rows else 0)
