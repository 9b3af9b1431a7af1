"""FlowWarp: an image moved along a flow field."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer, exactly
from netdef.layers.registry import register

NOT_A_NUMBER = 2


@register("FlowWarp")
class FlowWarp(Layer):
    r"""Fetches each pixel from where a flow field points: the second picture as it would look at the time of the first.

    Formula: y[h, w] = x at row h + flow_1[h, w] and column w + flow_0[h, w], interpolated between four pixels; pixels beyond
    the last row or column count as the last. Where the place is not in [0, H) and [0, W): ``fill_value``.

    Shapes: image (N, C, H, W), flow (N, 2, H, W) in pixels, columns first; top as the image. There is no gradient: this layer
    is for running trained nets.

    Numerical care: a flow that is no number gives the fill value.

    Source: Ilg et al., FlowNet 2.0: Evolution of Optical Flow Estimation with Deep Networks, CVPR 2017; FlowNet2's Caffe, whose
    files give its options number 159.

    Example::

        layer { name: "data" type: "Input" top: "image" top: "flow" input_param {
                shape { dim: 1 dim: 3 dim: 4 dim: 6 } shape { dim: 1 dim: 2 dim: 4 dim: 6 } } }
        layer { name: "warp" type: "FlowWarp" bottom: "image" bottom: "flow" top: "warp" }
    """

    options_field = "flow_warp_param"
    bottoms = exactly(2)
    differentiable = False
    backward_reads = frozenset()

    def infer(self, bottom_shapes):
        image, flow = (tuple(s) for s in bottom_shapes)
        if len(image) != 4:
            raise self.spec.shape_error(f"expected an image of shape (N, C, H, W), got {image}", 0)
        if flow != (image[0], 2, *image[2:]):
            raise self.spec.shape_error(f"expected a flow of shape {(image[0], 2, *image[2:])}, got {flow}", 1)
        return Inferred(tops=[image])

    def forward(self, ctx, bottoms, params, tops):
        x, flow, y = bottoms[0].data, bottoms[1].data, tops[0].data
        items, _, height, width = x.shape
        column, row = flow[:, 0] + np.arange(width, dtype=x.dtype), flow[:, 1] + np.arange(height, dtype=x.dtype)[:, None]
        inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
        left, top = (np.where(inside, place, 0).astype(np.int64) for place in (column, row))
        right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
        across, down = (np.where(inside, place, 0) - first for place, first in ((column, left), (row, top)))
        n = np.arange(items)[:, None, None]
        y[...] = 0
        for h, part_h in ((top, 1 - down), (bottom, down)):
            for w, part_w in ((left, 1 - across), (right, across)):
                y += np.moveaxis(x[n, :, h, w], 3, 1) * (part_h * part_w)[:, None].astype(x.dtype)
        fill = np.nan if self.options.fill_value == NOT_A_NUMBER else 0
        np.copyto(y, fill, where=~inside[:, None])
