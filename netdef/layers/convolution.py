"""Convolution over any number of spatial axes, and the reading of its window options."""
from __future__ import annotations

import math
from typing import NamedTuple

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, LayerSpec, ParamInit, Shape, at_least, check_axis
from netdef.layers.constraints import positive
from netdef.layers.registry import register

Sizes = tuple[int, ...]


class Window(NamedTuple):
    """A window's sizes, one entry a spatial axis."""

    kernel: Sizes
    stride: Sizes
    pad: Sizes
    dilation: Sizes


class WindowOptions:
    """kernel_size, stride, pad and dilation of a ConvolutionParameter, by Caffe's rules.

    Each is given once for all axes, once an axis, or (two axes only, and not dilation) as ``_h`` and ``_w``: both of
    kernel and stride, any of pad. Raises FieldError where the spellings contradict each other.
    """

    constraints = {"kernel_size": positive(), "kernel_h": positive(), "kernel_w": positive(), "stride": positive(),
                   "stride_h": positive(), "stride_w": positive(), "dilation": positive()}

    def __init__(self, spec: LayerSpec) -> None:
        self.spec = spec
        self._check_pair("kernel_size", "kernel", both=True)
        self._check_pair("stride", "stride", both=True)
        self._check_pair("pad", "pad", both=False)

    def _check_pair(self, whole: str, stem: str, both: bool) -> None:
        spec, given = self.spec, [f"{stem}_{side}" for side in "hw" if self.spec.has(f"{stem}_{side}")]
        if given and spec.has(whole):
            raise spec.error(f"expected either {whole} or {stem}_h and {stem}_w, got {whole} and {given[0]}", given[0],
                             hint="remove one")
        if both and len(given) == 1:
            missing = f"{stem}_{'w' if given[0].endswith('h') else 'h'}"
            raise spec.error(f"expected {stem}_h and {stem}_w together, got no {missing}", given[0],
                             hint=f"add {missing}, or write {whole} for both axes")

    def window(self, axes: int) -> Window:
        """The window over this many spatial axes. Raises FieldError: no kernel size, or too few or many values."""
        if axes and not (self.spec.has("kernel_size") or self.spec.has("kernel_h")):
            raise self.spec.error(f"missing; expected 1 or {axes} values, or kernel_h and kernel_w", "kernel_size")
        return Window(self._sizes("kernel_size", "kernel", axes, 1), self._sizes("stride", "stride", axes, 1),
                      self._sizes("pad", "pad", axes, 0), self._sizes("dilation", "", axes, 1))

    def _sizes(self, whole: str, stem: str, axes: int, default: int) -> Sizes:
        spec, o = self.spec, self.spec.options
        if stem and (spec.has(f"{stem}_h") or spec.has(f"{stem}_w")):
            if axes != 2:
                option = f"{stem}_h" if spec.has(f"{stem}_h") else f"{stem}_w"
                raise spec.error(f"works with two spatial axes only, got {axes}", option, hint=f"use {whole}")
            return (getattr(o, f"{stem}_h"), getattr(o, f"{stem}_w"))
        values = tuple(getattr(o, whole))
        if len(values) in (0, 1):
            return (values or (default,)) * axes
        if len(values) != axes:
            raise spec.error(f"expected 1 value, or one a spatial axis ({axes}), got {len(values)}", whole)
        return values


@register("Convolution")
class Convolution(Layer):
    r"""Slides a window of weights over the image: every filter gives one channel of the output.

    Formula: y[n, f, o] = b[f] + sum over c, k of W[f, c, k] * x[n, c, o * stride - pad + k * dilation], with zeros
    outside the image (a cross-correlation: the window is not flipped).
    dx[n, c, i] = sum over f and all o, k that read place i of W[f, c, k] * dy[n, f, o];
    dW[f, c, k] += sum over n, o of dy[n, f, o] * x[n, c, o * stride - pad + k * dilation];
    db[f] += sum of dy[n, f, o] over n and o.
    With ``group`` g, filters and channels are cut into g parts, and each part of the filters sees only its own
    part of the channels (g = channels: a depthwise convolution).

    Shapes: bottom (batch..., C, image...), where C is axis ``axis`` (1) and whatever stands behind it is the image, of
    any number of axes. Top (batch..., num_output, out...), with out = floor((image + 2 * pad - (dilation *
    (kernel - 1) + 1)) / stride) + 1. Several bottoms of one shape are possible; they share the weights and give a top
    each. Params: weights (num_output, C / group, kernel...); bias (num_output) unless ``bias_term: false``.

    Numerical care: sums in the net's own precision, in an order fixed by the shapes. Windows of 3x3 and 5x5 with stride 1
    may go through Winograd's transforms, whose errors are some ten times as large (1e-5 of the largest output);
    ``NETDEF_WINOGRAD=0`` in the environment keeps to plain sums. Without a weight_filler the weights are zeros.
    ``engine`` and ``force_nd_im2col`` are accepted and change nothing.

    Source: LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, 1998; groups:
    Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Convolutional Neural Networks, 2012;
    dilation: Yu and Koltun, Multi-Scale Context Aggregation by Dilated Convolutions, 2016.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
        layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
                convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 1 weight_filler { type: "xavier" } } }
    """

    options_field = "convolution_param"
    bottoms = at_least(1)
    tops = at_least(1)
    same_number = True
    backward_reads = frozenset({"bottoms"})
    takes = ("relu",)
    activates = "forward"
    folds = True
    constraints = {"num_output": positive(required=True), "group": positive(), **WindowOptions.constraints}

    def __init__(self, spec):
        super().__init__(spec)
        self.window_options = WindowOptions(spec)
        o = self.options
        self.param_names = ("weights", "bias") if o.bias_term else ("weights",)
        if o.num_output % o.group:
            raise spec.error(f"expected a divisor of num_output {o.num_output}, got {o.group}", "group")

    def infer(self, bottom_shapes):
        shape, o = same_shapes(self.spec, bottom_shapes), self.options
        axis, window = self._axis_and_window(shape)
        channels = shape[axis]
        group = self._group(channels)
        check_channels(self.spec, channels, group)
        out = out_sizes(self.spec, shape[axis + 1:], window)
        weights = (o.num_output, channels // group, *window.kernel)
        params = [ParamInit("weights", weights, o.weight_filler, "weight_filler")]
        if o.bias_term:
            params.append(ParamInit("bias", (o.num_output,), o.bias_filler, "bias_filler"))
        top = (*shape[:axis], o.num_output, *out)
        col = K.conv_scratch_shape(self._folded(shape, axis), weights, *window[1:], group)
        return Inferred(tops=[top] * len(bottom_shapes), params=params, scratch={"col": Array(col)},
                        macs=len(bottom_shapes) * math.prod(top) * math.prod(weights[1:]))

    def forward(self, ctx, bottoms, params, tops):
        bias = params[1].data if self.options.bias_term else None
        axis, window = self._axis_and_window(bottoms[0].shape)
        for bottom, top in zip(bottoms, tops, strict=True):
            x, y = (a.reshape(self._folded(a.shape, axis)) for a in (bottom.data, top.data))
            K.conv_forward(x, params[0].data, bias, *window[1:], self._group(bottom.shape[axis]), ctx.scratch["col"],
                           y, ctx.negative_slope)

    def backward(self, ctx, tops, params, bottoms, need):
        axis, window = self._axis_and_window(bottoms[0].shape)
        rest = (*window[1:], self._group(bottoms[0].shape[axis]), ctx.scratch["col"])
        for i, (bottom, top) in enumerate(zip(bottoms, tops, strict=True)):
            shape = self._folded(bottom.shape, axis)
            dy = top.diff.reshape(self._folded(top.shape, axis))
            if need.params[0]:
                K.conv_backward_weights(bottom.data.reshape(shape), dy, *rest, params[0].diff)
            if self.options.bias_term and need.params[1]:
                K.conv_bias_grad(dy, params[1].diff)
            if need.bottoms[i]:
                K.conv_backward_data(dy, params[0].data, *rest, bottom.diff.reshape(shape))

    def _group(self, channels: int) -> int:
        """Into how many parts this many channels are cut."""
        return int(self.options.group)

    def _axis_and_window(self, shape: Shape) -> tuple[int, Window]:
        axis = check_axis(self.spec, self.options.axis, len(shape))
        return axis, self.window_options.window(len(shape) - axis - 1)

    @staticmethod
    def _folded(shape: Shape, axis: int) -> Shape:
        """(batch, channels, image...): all axes before the channels as one."""
        return (math.prod(shape[:axis]), *shape[axis:])


def same_shapes(spec: LayerSpec, shapes) -> Shape:
    """The one shape of all bottoms. Raises ShapeError."""
    for i, shape in enumerate(shapes):
        if tuple(shape) != tuple(shapes[0]):
            raise spec.shape_error("expected bottoms of one shape (they share the weights), got "
                                   f"{tuple(shapes[0])} and {tuple(shape)}", i)
    return tuple(shapes[0])


def check_channels(spec: LayerSpec, channels: int, group: int) -> None:
    """Raises ShapeError unless there are channels, and ``group`` divides them."""
    if channels == 0:
        raise spec.shape_error("expected at least one channel, got none", 0)
    if channels % group:
        raise spec.shape_error(f"expected a number of channels that group {group} divides, got {channels}", 0)


def out_sizes(spec: LayerSpec, image: Sizes, window: Window) -> Sizes:
    """How many places the window has on each axis. Raises ShapeError where it is larger than the padded image."""
    extent = tuple(d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilation, strict=True))
    padded = tuple(i + 2 * p for i, p in zip(image, window.pad, strict=True))
    if any(e > i for e, i in zip(extent, padded, strict=True)):
        dilated = f" (dilated to {by(extent)})" if extent != window.kernel else ""
        pads = f" (padded to {by(padded)})" if padded != image else ""
        raise spec.shape_error(f"the kernel {by(window.kernel)}{dilated} is larger than the image {by(image)}{pads}", 0)
    return tuple((i - e) // s + 1 for i, e, s in zip(padded, extent, window.stride, strict=True))


def by(sizes: Sizes) -> str:
    """``3x5``."""
    return "x".join(map(str, sizes))
