"""Reorg: pixels become channels, in Darknet's order."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer, Shape
from netdef.layers.constraints import positive
from netdef.layers.registry import register


@register("Reorg")
class Reorg(Layer):
    r"""Makes an image smaller and gives it more channels, so that a fine feature map fits a coarse one (YOLO's passthrough).

    Formula: with stride s and c = C / s^2, the memory of x is read as (c, H s, W s) and written as (s, s, c, H, W):
    y'[p, q, k, j, i] = x'[k, j s + p, i s + q], and y is y' read as (C s^2, H / s, W / s). With ``reverse`` x is read as (s,
    s, c, H, W) and y'[k, j s + p, i s + q] = x'[p, q, k, j, i].  dx goes the same way back.

    Shapes: bottom (N, C, H, W), top (N, C s^2, H / s, W / s), or (N, C / s^2, H s, W s) with ``reverse``. C must be a multiple
    of s^2, H and W of s.

    Numerical care: none, values are only moved. Without ``reverse`` this is not the space-to-depth of other frameworks:
    Darknet reads the image as one of s times the size and fewer channels, and trained nets rely on it.

    Source: Redmon and Farhadi, YOLO9000: Better, Faster, Stronger, CVPR 2017, and Darknet's reorg layer; MobileNet-YOLO.

    Example::

        layer { name: "data" type: "Input" top: "conv13" input_param { shape { dim: 1 dim: 4 dim: 6 dim: 6 } } }
        layer { name: "reorg" type: "Reorg" bottom: "conv13" top: "reorg" reorg_param { stride: 2 } }
    """

    options_field = "reorg_param"
    backward_reads = frozenset()
    constraints = {"stride": positive(required=True)}

    def infer(self, bottom_shapes):
        shape, s, back = tuple(bottom_shapes[0]), self.options.stride, self.options.reverse
        if len(shape) != 4:
            raise self.spec.shape_error(f"expected a bottom of 4 axes (N, C, H, W), got {shape}", 0)
        n, c, h, w = shape
        if c % (s * s):
            raise self.spec.shape_error(f"expected a number of channels that stride * stride = {s * s} divides, got {c}", 0)
        if not back and (h % s or w % s):
            raise self.spec.shape_error(f"expected an image whose sides the stride {s} divides, got {h}x{w}", 0)
        return Inferred(tops=[(n, c // (s * s), h * s, w * s) if back else (n, c * s * s, h // s, w // s)])

    def forward(self, ctx, bottoms, params, tops):
        self._move(bottoms[0].data, tops[0].data, bottoms[0].shape, self.options.reverse)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            self._move(tops[0].diff, bottoms[0].diff, bottoms[0].shape, not self.options.reverse)

    def _move(self, x: np.ndarray, y: np.ndarray, shape: Shape, enlarge: bool) -> None:
        """y = x in the other order, both read by the shape of the bottom."""
        (n, c, h, w), s = shape, self.options.stride
        large, small = (n, c // (s * s), h, s, w, s), (n, s, s, c // (s * s), h, w)
        if enlarge:
            y.reshape(large)[...] = x.reshape(small).transpose(0, 3, 4, 1, 5, 2)
        else:
            y.reshape(small)[...] = x.reshape(large).transpose(0, 3, 5, 1, 2, 4)
