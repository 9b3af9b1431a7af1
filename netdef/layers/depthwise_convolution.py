"""DepthwiseConvolution and ConvolutionDepthwise: a window for each channel, two forks' names for one thing."""
from __future__ import annotations

from netdef.layers.convolution import Convolution
from netdef.layers.registry import register


@register("DepthwiseConvolution")
class DepthwiseConvolution(Convolution):
    r"""Slides windows over each channel by itself: a Convolution with as many groups as its bottom has channels.

    Formula: y[n, f, o] = b[f] + sum over k of W[f, 0, k] * x[n, c, o * stride - pad + k * dilation], where c = f / m, rounded
    down, and m = num_output / C.  dx[n, c, i] = sum over f of channel c and all o, k that read place i of W[f, 0, k] *
    dy[n, f, o];  dW[f, 0, k] += sum over n, o of dy[n, f, o] * x[n, c, o * stride - pad + k * dilation];  db[f] += sum of
    dy[n, f, o] over n and o.

    Shapes: bottom (batch..., C, image...), top (batch..., num_output, out...), sizes as in Convolution; num_output is a
    multiple of C. Params: weights (num_output, 1, kernel...); bias (num_output) unless ``bias_term: false``.

    Numerical care: as in Convolution, whose weights and values it has. ``group`` need not be written; if it is, as 1 or C.

    Source: Howard et al., MobileNets, 2017; the layer that forks such as MobileNet-YOLO wrote for speed.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 4 dim: 8 dim: 8 } } }
        layer { name: "dw1" type: "DepthwiseConvolution" bottom: "data" top: "dw1"
                convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
    """

    def _group(self, channels):
        o, written = self.options, self.options.group
        if written not in (1, channels):
            raise self.spec.shape_error(f"expected group {channels}, as many as channels, got {written}", 0, "group",
                                        hint="leave it out, or write type: \"Convolution\"")
        if channels and o.num_output % channels:
            raise self.spec.shape_error(f"expected a num_output that is a multiple of the {channels} channels, got "
                                        f"{o.num_output}", 0, "num_output")
        return channels


@register("ConvolutionDepthwise")
class ConvolutionDepthwise(DepthwiseConvolution):
    r"""The same layer as DepthwiseConvolution, under the name of another fork.

    Formula: y[n, f, o] = b[f] + sum over k of W[f, 0, k] * x[n, c, o * stride - pad + k * dilation], where c = f / m, rounded
    down, and m = num_output / C.  dx[n, c, i] = sum over f of channel c and all o, k that read place i of W[f, 0, k] *
    dy[n, f, o];  dW[f, 0, k] += sum over n, o of dy[n, f, o] * x[n, c, o * stride - pad + k * dilation];  db[f] += sum of
    dy[n, f, o] over n and o.

    Shapes: bottom (batch..., C, image...), top (batch..., num_output, out...). Params: weights (num_output, 1, kernel...);
    bias (num_output) unless ``bias_term: false``.

    Numerical care: as in DepthwiseConvolution.

    Source: Ma, Zhang, Zheng and Sun, ShuffleNet V2, ECCV 2018, whose nets for Caffe use this name.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 4 dim: 8 dim: 8 } } }
        layer { name: "dw1" type: "ConvolutionDepthwise" bottom: "data" top: "dw1"
                convolution_param { num_output: 8 kernel_size: 3 stride: 2 bias_term: false weight_filler { type: "msra" } } }
    """
