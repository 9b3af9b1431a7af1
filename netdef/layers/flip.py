"""Flip: mirrored images."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer
from netdef.layers.registry import register


@register("Flip")
class Flip(Layer):
    r"""Mirrors every image, left to right or upside down.

    Formula: y[n, c, h, w] = x[n, c, h', w'] with w' = W - 1 - w where ``flip_width``, else w, and h' = H - 1 - h where
    ``flip_height``, else h;  dx = dy mirrored the same way.

    Shapes: bottom (N, C, H, W), top the same.

    Numerical care: none, values are only moved.

    Source: happynear/caffe-windows, whose files give its options number 212.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 2 dim: 4 } } }
        layer { name: "flip" type: "Flip" bottom: "data" top: "flip" flip_param { flip_width: true } }
    """

    options_field = "flip_param"
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        self.axes = tuple(a for a, flips in ((2, self.options.flip_height), (3, self.options.flip_width)) if flips)

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        if len(shape) != 4:
            raise self.spec.shape_error(f"expected a bottom of 4 axes (N, C, H, W), got {shape}", 0)
        return Inferred(tops=[shape])

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = np.flip(bottoms[0].data, self.axes)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            bottoms[0].diff[...] = np.flip(tops[0].diff, self.axes)
