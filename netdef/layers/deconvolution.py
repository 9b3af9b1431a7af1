"""Deconvolution: a convolution run backwards, which makes images larger."""
from __future__ import annotations

import math

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, ParamInit, Shape
from netdef.layers.convolution import Convolution, Sizes, Window, by, check_channels, same_shapes
from netdef.layers.registry import register


@register("Deconvolution")
class Deconvolution(Convolution):
    r"""Puts a window of weights, times each value of the image, down on the output and adds up (a transposed
    convolution).

    Formula: y[n, f, o] = b[f] + sum over c and places i, k with i * stride - pad + k * dilation = o of
    W[c, f, k] * x[n, c, i]: what a Convolution with the same window does in its backward pass.
    dx[n, c, i] = sum over f, k of W[c, f, k] * dy[n, f, i * stride - pad + k * dilation], which is that convolution;
    dW[c, f, k] += sum over n, i of x[n, c, i] * dy[n, f, i * stride - pad + k * dilation];
    db[f] += sum of dy[n, f, o] over n and o.
    With ``group`` g, filters and channels are cut into g parts (g = channels with the filler ``bilinear``:
    interpolation by channel, as in FCN).

    Shapes: bottom (batch..., C, image...), where C is axis ``axis`` (1) and whatever stands behind it is the image, of
    any number of axes. Top (batch..., num_output, out...), out = stride * (image - 1) + dilation * (kernel - 1) + 1 - 2
    * pad. Several bottoms of one shape are possible; they share the weights and give a top each.
    Params: weights (C, num_output / group, kernel...), channels first, unlike Convolution's; bias (num_output) unless
    ``bias_term: false``.

    Numerical care: a matrix product whose columns are added up on the output; sums in the net's own precision, in an
    order fixed by the shapes. The fillers xavier and msra take num_output / group * kernel for the number of inputs,
    as in Caffe.

    Source: Zeiler, Krishnan, Taylor and Fergus, Deconvolutional Networks, CVPR 2010; Long, Shelhamer and Darrell, Fully
    Convolutional Networks for Semantic Segmentation, CVPR 2015.

    Example::

        layer { name: "data" type: "Input" top: "score" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 5 } } }
        layer { name: "up" type: "Deconvolution" bottom: "score" top: "up"
                convolution_param { num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false
                                    weight_filler { type: "bilinear" } } }
    """
    folds = False
    activates = ""

    def infer(self, bottom_shapes):
        shape, o = same_shapes(self.spec, bottom_shapes), self.options
        axis, window = self._axis_and_window(shape)
        check_channels(self.spec, shape[axis], o.group)
        top = (*shape[:axis], o.num_output, *self._out_sizes(shape[axis + 1:], window))
        weights = (shape[axis], o.num_output // o.group, *window.kernel)
        params = [ParamInit("weights", weights, o.weight_filler, "weight_filler")]
        if o.bias_term:
            params.append(ParamInit("bias", (o.num_output,), o.bias_filler, "bias_filler"))
        col = K.conv_scratch_shape(self._folded(top, axis), weights, *window[1:], o.group)
        return Inferred(tops=[top] * len(bottom_shapes), params=params, scratch={"col": Array(col)},
                        macs=len(bottom_shapes) * math.prod(shape) * math.prod(weights[1:]))

    def forward(self, ctx, bottoms, params, tops):
        axis, window = self._axis_and_window(bottoms[0].shape)
        for bottom, top in zip(bottoms, tops, strict=True):
            x, y = (a.reshape(self._folded(a.shape, axis)) for a in (bottom.data, top.data))
            K.conv_backward_data(x, params[0].data, *window[1:], self.options.group, ctx.scratch["col"], y)
            if self.options.bias_term:
                K.bias_add(_places_last(y), params[1].data)

    def backward(self, ctx, tops, params, bottoms, need):
        axis, window = self._axis_and_window(bottoms[0].shape)
        rest = (*window[1:], self.options.group, ctx.scratch["col"])
        for i, (bottom, top) in enumerate(zip(bottoms, tops, strict=True)):
            shape = self._folded(bottom.shape, axis)
            dy = top.diff.reshape(self._folded(top.shape, axis))
            if need.params[0]:
                K.conv_backward_weights(dy, bottom.data.reshape(shape), *rest, params[0].diff)
            if self.options.bias_term and need.params[1]:
                K.conv_bias_grad(dy, params[1].diff)
            if need.bottoms[i]:
                K.conv_forward(dy, params[0].data, None, *rest, bottom.diff.reshape(shape))

    def _out_sizes(self, image: Sizes, window: Window) -> Shape:
        """Size of the output. Raises ShapeError where the padding leaves nothing of it."""
        axes = zip(image, *window, strict=True)
        out = tuple(s * (i - 1) + d * (k - 1) + 1 - 2 * p for i, k, s, p, d in axes)
        if any(n < 1 for n in out):
            raise self.spec.shape_error(f"the image {by(image)} would become {by(out)}: pad {by(window.pad)} cuts all "
                                        f"of it away", 0, "pad" if self.spec.has("pad") else "")
        return out


def _places_last(a):
    """(N, C, places)."""
    return a.reshape(*a.shape[:2], math.prod(a.shape[2:]))
