"""Im2col: windows of an image as channels."""
from __future__ import annotations

import math

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer, check_axis
from netdef.layers.convolution import WindowOptions, out_sizes
from netdef.layers.registry import register


@register("Im2col")
class Im2col(Layer):
    r"""Writes each window of the image down as channels, as a convolution reads them; learns nothing.

    Formula: y[n, (c, k), o] = x[n, c, o * stride - pad + k * dilation], with zeros outside the image; dx is the sum of
    the dy that read each value.

    Shapes: bottom (batch..., C, image...), where C is axis ``axis`` (1) and whatever stands behind it is the image, of
    any number of axes. Top (batch..., C * places of the window, out...), channels first, then the window in row order;
    out = floor((image + 2 * pad - (dilation * (kernel - 1) + 1)) / stride) + 1. Of convolution_param only the window is
    read.

    Numerical care: none needed, values are copied. The top is as many times larger as the window has places.

    Source: BVLC Caffe, im2col_layer; Chellapilla, Puri and Simard, High Performance Convolutional Neural Networks for
    Document Processing, 2006.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 5 } } }
        layer { name: "windows" type: "Im2col" bottom: "data" top: "windows"
                convolution_param { kernel_size: 3 stride: 2 } }
    """

    options_field = "convolution_param"
    backward_reads = frozenset()
    constraints = WindowOptions.constraints

    def __init__(self, spec):
        super().__init__(spec)
        self.window_options = WindowOptions(spec)

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        axis = check_axis(self.spec, self.options.axis, len(shape))
        window = self.window_options.window(len(shape) - axis - 1)
        out = out_sizes(self.spec, shape[axis + 1:], window)
        return Inferred(tops=[(*shape[:axis], shape[axis] * math.prod(window.kernel), *out)])

    def forward(self, ctx, bottoms, params, tops):
        for image, columns, window in self._pairs(bottoms[0].data, tops[0].data):
            K.im2col(image, *window, columns)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            for image, columns, window in self._pairs(bottoms[0].diff, tops[0].diff):
                K.col2im(columns, *window, image)

    def _pairs(self, images, columns):
        """For each item: the image (1, C, image...), its columns (C, kernel..., 1, out...) and the window."""
        axis = check_axis(self.spec, self.options.axis, images.ndim)
        window = self.window_options.window(images.ndim - axis - 1)
        items, shape = math.prod(images.shape[:axis]), images.shape[axis:]
        split = (items, shape[0], *window.kernel, 1, *columns.shape[axis + 1:])
        for image, column in zip(images.reshape(items, 1, *shape), columns.reshape(split), strict=True):
            yield image, column, window
