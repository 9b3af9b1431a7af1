"""LayerNorm and GroupNorm: each item to mean 0 and variance 1 by itself, then a learned factor and offset."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, ParamInit, Shape, check_axis
from netdef.layers.constraints import not_negative, positive
from netdef.layers.registry import register


class ItemNorm(Layer):
    """What the two share: standardised rows, kept for backward, then scaled and shifted by params.

    A subclass says which values make a row (``_rows``) and which share a factor (``_channels``).
    """

    in_place = "yes"
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        written = (("scale", self.options.scale_term), ("bias", self.options.bias_term))
        self.param_names = tuple(name for name, there in written if there)

    def _rows(self, shape: Shape) -> Shape:
        """(1, rows, values): each row is standardised by itself. Raises ShapeError where the shape does not fit."""
        raise NotImplementedError

    def _channels(self, shape: Shape) -> Shape:
        """(outer, factors, inner): what shares a factor and an offset."""
        raise NotImplementedError

    def _params(self, shape: Shape) -> Shape:
        """Shape of factors and offsets."""
        raise NotImplementedError

    def infer(self, bottom_shapes):
        shape, o = tuple(bottom_shapes[0]), self.options
        rows, size = (self._rows(shape)[1],), self._params(shape)
        params = []
        if o.scale_term:
            params.append(ParamInit("scale", size, o.scale_filler if self.spec.has("scale_filler") else 1.0,
                                    "scale_filler"))
        if o.bias_term:
            params.append(ParamInit("bias", size, o.bias_filler, "bias_filler"))
        return Inferred(tops=[shape], params=params,
                        workspace={"standardized": Array(shape), "divisor": Array(rows)},
                        scratch={"mean": Array(rows, "float64"), "var": Array(rows, "float64"),
                                 "buffer": Array((2, *shape))})

    def forward(self, ctx, bottoms, params, tops):
        shape, made = bottoms[0].shape, ctx.workspace["standardized"]
        rows, channels = self._rows(shape), self._channels(shape)
        K.standardize(bottoms[0].data.reshape(rows), self.options.eps, False, ctx.scratch["buffer"][0].reshape(rows),
                      ctx.scratch["mean"], ctx.scratch["var"], ctx.workspace["divisor"], made.reshape(rows))
        y, learned = tops[0].data.reshape(channels), list(params)
        if self.options.scale_term:
            np.multiply(made.reshape(channels), learned.pop(0).data.reshape(-1, 1), out=y)
        else:
            y[...] = made.reshape(channels)
        if self.options.bias_term:
            K.bias_add(y, learned[0].data.reshape(-1))

    def backward(self, ctx, tops, params, bottoms, need):
        shape, made = tops[0].shape, ctx.workspace["standardized"]
        rows, channels = self._rows(shape), self._channels(shape)
        dy, (through, buffer) = tops[0].diff.reshape(channels), ctx.scratch["buffer"]
        learned = list(zip(params, need.params, strict=True))
        scale = None
        if self.options.scale_term:
            blob, wanted = learned.pop(0)
            scale = blob.data.reshape(-1, 1)
            if wanted:
                np.multiply(dy, made.reshape(channels), out=buffer.reshape(channels))
                K.bias_grad(buffer.reshape(channels), blob.diff.reshape(-1))
        if self.options.bias_term and learned[0][1]:
            K.bias_grad(dy, learned[0][0].diff.reshape(-1))
        if need.bottoms[0]:
            if scale is not None:
                dy = np.multiply(dy, scale, out=through.reshape(channels))
            K.standardize_backward(dy.reshape(rows), made.reshape(rows), ctx.workspace["divisor"], None,
                                   buffer.reshape(rows), bottoms[0].diff.reshape(rows))


@register("LayerNorm")
class LayerNorm(ItemNorm):
    r"""Brings all values of an item to mean 0 and variance 1, then scales and shifts each by learned numbers.

    Formula: y = g * u + b with u = (x - m) / sqrt(v + eps), where m and the biased variance v are those of one item
    (all axes from ``axis`` on). dx = (h - mean(h) - u * mean(h * u)) / sqrt(v + eps) with h = g * dy; dg = sum over
    items of dy * u; db = sum over items of dy.

    Shapes: bottom (items..., values...), the values beginning at ``axis``; top the same. In place is allowed.
   
    Params: g and b, both (values...); g only with ``scale_term``, b only with ``bias_term`` (both true by default).

    Numerical care: the variance comes from the centred values. Nothing depends on the batch or on the phase.

    Source: Ba, Kiros and Hinton, Layer Normalization, 2016. Not in BVLC Caffe; agrees with ONNX's LayerNormalization of
    the same axis.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 5 dim: 2 dim: 8 } } }
        layer { name: "norm1" type: "LayerNorm" bottom: "data" top: "norm1" layer_norm_param { axis: -1 } }
    """

    options_field = "layer_norm_param"
    constraints = {"eps": not_negative()}

    def _rows(self, shape):
        axis = check_axis(self.spec, self.options.axis, len(shape))
        return (1, math.prod(shape[:axis]), math.prod(shape[axis:]))

    def _channels(self, shape):
        _, rows, values = self._rows(shape)
        return (rows, values, 1)

    def _params(self, shape):
        return shape[check_axis(self.spec, self.options.axis, len(shape)):]


@register("GroupNorm")
class GroupNorm(ItemNorm):
    r"""Brings each group of channels of an item to mean 0 and variance 1, then scales and shifts each channel.

    Formula: y = g * u + b with u = (x - m) / sqrt(v + eps), where m and the biased variance v are those of one group of
    C / ``group`` channels in one item, and g and b are the channel's. Gradients as LayerNorm's.

    Shapes: bottom (N, C, ...) with C a multiple of ``group``; top the same. In place is allowed.
   
    Params: g and b, both (C); g only with ``scale_term``, b only with ``bias_term`` (both true by default).

    Numerical care: the variance comes from the centred values. With as many groups as channels it needs several places
    a channel, or y is b alone. Nothing depends on the batch or on the phase.

    Source: Wu and He, Group Normalization, ECCV 2018; as many groups as channels: Ulyanov, Vedaldi and Lempitsky,
    Instance Normalization, 2016. Not in BVLC Caffe.

    Example::

        layer { name: "data" type: "Input" top: "conv1" input_param { shape { dim: 2 dim: 6 dim: 4 dim: 4 } } }
        layer { name: "norm1" type: "GroupNorm" bottom: "conv1" top: "norm1" group_norm_param { group: 3 } }
    """

    options_field = "group_norm_param"
    constraints = {"group": positive(), "eps": not_negative()}

    def _rows(self, shape):
        group = self.options.group
        if len(shape) < 2:
            raise self.spec.shape_error(f"expected a bottom of at least two axes (N, C, ...), got {shape}", 0)
        if shape[1] % group:
            raise self.spec.shape_error(f"expected a number of channels that group {group} divides, got {shape[1]}", 0)
        return (1, shape[0] * group, shape[1] // group * math.prod(shape[2:]))

    def _channels(self, shape):
        return (shape[0], shape[1], math.prod(shape[2:]))

    def _params(self, shape):
        return (shape[1],)
