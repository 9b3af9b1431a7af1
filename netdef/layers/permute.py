"""Permute: another order of the axes."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer
from netdef.layers.registry import register


@register("Permute")
class Permute(Layer):
    r"""Puts the axes into another order, and the values with them: (N, 1, 28, 28) becomes 28 rows of N pictures.

    Formula: y[j0, j1, ...] = x[i0, i1, ...], where j_k = i_order[k];  dx goes the same way back.

    Shapes: axis k of the top is axis ``order[k]`` of the bottom. Axes that are not listed follow in their old order;
    without any ``order`` the top is a copy.

    Numerical care: none, values are only moved. Reshape keeps values where they are in memory and gives other names to
    the places; this layer moves them.

    Source: SSD's fork of Caffe, permute_layer.

    Example::

        layer { name: "data" type: "Input" top: "digits" input_param { shape { dim: 2 dim: 1 dim: 28 dim: 28 } } }
        layer { name: "rows" type: "Permute" bottom: "digits" top: "rows" permute_param { order: 2 order: 0 } }
    """

    options_field = "permute_param"
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        given = list(self.options.order)
        twice = next((k for i, k in enumerate(given) if k in given[:i]), None)
        if twice is not None:
            raise spec.error(f"expected each axis at most once, got {twice} twice", "order")

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        return Inferred(tops=[tuple(shape[k] for k in self._order(len(shape)))])

    def forward(self, ctx, bottoms, params, tops):
        x = bottoms[0].data
        tops[0].data[...] = x.transpose(self._order(x.ndim))

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            dx = bottoms[0].diff
            dx[...] = tops[0].diff.transpose(np.argsort(self._order(dx.ndim)))

    def _order(self, ndim: int) -> list[int]:
        """All axes, those that are not listed at the end."""
        given = list(self.options.order)
        for k in given:
            if k >= ndim:
                raise self.spec.shape_error(f"order {k} does not exist in a bottom of {ndim} axes", 0, "order")
        return given + [k for k in range(ndim) if k not in given]
