"""Tile: the bottom repeated along one axis."""
from __future__ import annotations

import math

import numpy as np

from netdef.layers.base import Inferred, Layer, Shape, check_axis
from netdef.layers.constraints import positive
from netdef.layers.registry import register


@register("Tile")
class Tile(Layer):
    r"""Repeats its bottom ``tiles`` times along ``axis``, one whole copy behind the other.

    Formula: y = [x, x, ...];  dx = the sum of the parts of dy.

    Shapes: bottom (N, C, H, W), top (N, C * tiles, H, W) with the default ``axis: 1``. Negative axes count from the end.

    Numerical care: none.

    Source: BVLC Caffe, tile_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 1 } } }
        layer { name: "wide" type: "Tile" bottom: "data" top: "wide" tile_param { axis: 2 tiles: 4 } }
    """

    options_field = "tile_param"
    backward_reads = frozenset()
    constraints = {"tiles": positive(required=True)}

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        axis = check_axis(self.spec, self.options.axis, len(shape))
        return Inferred(tops=[(*shape[:axis], shape[axis] * self.options.tiles, *shape[axis + 1:])])

    def forward(self, ctx, bottoms, params, tops):
        outer, inner = self._parts(bottoms[0].shape)
        tops[0].data.reshape(outer, self.options.tiles, inner)[...] = bottoms[0].data.reshape(outer, 1, inner)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            outer, inner = self._parts(bottoms[0].shape)
            dy = tops[0].diff.reshape(outer, self.options.tiles, inner)
            np.sum(dy, axis=1, out=bottoms[0].diff.reshape(outer, inner))

    def _parts(self, shape: Shape) -> tuple[int, int]:
        """(number of blocks, size of the block that is repeated)."""
        axis = self.options.axis % len(shape)
        return math.prod(shape[:axis]), math.prod(shape[axis:])
