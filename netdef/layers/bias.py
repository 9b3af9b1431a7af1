"""Bias: adds a blob along some axes; and how Bias and Scale spread a blob over another."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer, LayerSpec, ParamInit, Shape, between, check_axis
from netdef.layers.registry import register


@register("Bias")
class Bias(Layer):
    r"""Adds a learned blob, or its second bottom, to its first, repeated along the other axes.

    Formula: y[o, c, i] = x[o, c, i] + b[c];  dx = dy;  db[c] = sum of dy over o and i (added up if b is learned).
    c runs over the axes of b, o over those before and i over those behind them.

    Shapes: bottom any shape, top the same. Param: bias, the sizes of ``num_axes`` axes from ``axis`` on (default: one a
    channel; -1: all the rest; 0: a single number). With two bottoms there is no param: the second bottom's shape must
    be that of the first from ``axis`` on, and ``num_axes`` and ``filler`` are not used. In place is allowed.

    Numerical care: the bias's gradient is summed in double precision.

    Source: BVLC Caffe, bias_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 } } }
        layer { name: "shift" type: "Bias" bottom: "data" top: "shift" bias_param { filler { value: 1 } } }
    """

    options_field = "bias_param"
    bottoms = between(1, 2)
    in_place = "yes"
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        self.param_names = ("bias",) if spec.num_bottoms == 1 else ()

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        params = []
        if len(bottom_shapes) == 1:
            filler = self.options.filler if self.spec.has("filler") else None
            params.append(ParamInit("bias", spread_shape(self.spec, shape), filler, "filler"))
        else:
            check_spread(self.spec, shape, tuple(bottom_shapes[1]))
        return Inferred(tops=[shape], params=params)

    def forward(self, ctx, bottoms, params, tops):
        bias = (params or bottoms[1:])[0].data
        axis = spread_axis(self.options.axis, tops[0].shape, bias.shape)
        x, y = (folded(b.data, bias.shape, axis) for b in (bottoms[0], tops[0]))
        K.bias_forward(x, bias.reshape(-1), y)

    def backward(self, ctx, tops, params, bottoms, need):
        dy, dx = tops[0].diff, bottoms[0].diff
        bias = (params or bottoms[1:])[0]
        if need.params[0] if params else need.bottoms[1]:
            if not params:
                bias.diff[...] = 0
            axis = spread_axis(self.options.axis, dy.shape, bias.shape)
            K.bias_grad(folded(dy, bias.shape, axis), bias.diff.reshape(-1))
        if need.bottoms[0] and dx is not dy:
            dx[...] = dy


def spread_shape(spec: LayerSpec, bottom: Shape) -> Shape:
    """The shape of a param that covers ``num_axes`` axes of the bottom from ``axis`` on. Raises ShapeError."""
    o = spec.options
    axis = check_axis(spec, o.axis, len(bottom))
    if o.num_axes < -1:
        raise spec.error(f"expected a number of at least -1 (all the rest), got {o.num_axes}", "num_axes")
    end = len(bottom) if o.num_axes == -1 else axis + o.num_axes
    if end > len(bottom):
        raise spec.shape_error(f"expected at most {len(bottom) - axis} axes from axis {axis} on, got num_axes "
                               f"{o.num_axes} for a bottom of shape {bottom}", 0, "num_axes")
    return bottom[axis:end]


def check_spread(spec: LayerSpec, bottom: Shape, other: Shape) -> None:
    """Raise ShapeError unless the second bottom has the sizes of the first from ``axis`` on (a scalar fits any)."""
    if not other:
        return
    axis = check_axis(spec, spec.options.axis, len(bottom))
    if bottom[axis: axis + len(other)] != other:
        names = spec.message.bottom
        raise spec.shape_error(f"expected '{names[1]}' to have the sizes of '{names[0]}' (shape {bottom}) from axis "
                               f"{axis} on, got the shape {other}", 1)


def spread_axis(axis: int, bottom: Shape, other: Shape) -> int:
    """The axis that ``other`` begins at, counted from the front (infer has checked it); 0 for a scalar."""
    return axis % len(bottom) if other else 0


def folded(a: np.ndarray, other: Shape, axis: int) -> np.ndarray:
    """``a`` as (outer, the values of ``other``, inner), a view."""
    return a.reshape(math.prod(a.shape[:axis]), math.prod(other), math.prod(a.shape[axis + len(other):]))
