"""Filter: the items of a batch that a selector keeps."""
from __future__ import annotations

import math

import numpy as np

from netdef.layers.base import Array, Inferred, Layer, at_least
from netdef.layers.registry import register


@register("Filter")
class Filter(Layer):
    r"""Keeps those items of its bottoms for which its last bottom, the selector, is not 0.

    Formula: y_b = the items n of x_b with s[n] != 0, in their order;  dx_b[n] = dy of a kept item, else 0. No gradient
    for the selector.

    Shapes: bottoms (N, ...) each, and the selector (N) or (N, 1, ...) last; tops (K, ...), one less than there are
    bottoms, where K is the number of items kept: known only after forward, and 0 if none is. Shapes inferred beforehand
    are the upper bound, K = N.

    Numerical care: a selector of NaN is not 0 and keeps its item.

    Source: BVLC Caffe, filter_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" top: "keep"
                input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
        layer { name: "kept" type: "Filter" bottom: "data" bottom: "keep" top: "kept" }
    """

    bottoms = at_least(2)
    tops = at_least(1)
    dynamic = True
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        self.differentiable = (True,) * (spec.num_bottoms - 1) + (False,)
        if spec.num_tops != spec.num_bottoms - 1:
            raise spec.error(f"expected a top for each bottom but the last ({spec.num_bottoms - 1}), got {spec.num_tops}")

    def infer(self, bottom_shapes):
        shapes, names = [tuple(s) for s in bottom_shapes], self.spec.message.bottom
        selector = shapes[-1]
        if not selector or math.prod(selector[1:]) != 1:
            raise self.spec.shape_error(f"expected a selector with one value an item, (N) or (N, 1, ...), got "
                                        f"'{names[-1]}' of shape {selector}", len(shapes) - 1)
        for i, shape in enumerate(shapes[:-1]):
            if not shape or shape[0] != selector[0]:
                raise self.spec.shape_error(f"expected as many items (axis 0) as the selector '{names[-1]}' has "
                                            f"({selector[0]}), got '{names[i]}' of shape {shape}", i)
        return Inferred(tops=shapes[:-1], workspace={"kept": Array(selector[:1], "bool")})

    def forward(self, ctx, bottoms, params, tops):
        kept = ctx.workspace["kept"]
        np.not_equal(bottoms[-1].data.reshape(-1), 0, out=kept)
        count = int(kept.sum())
        for bottom, top in zip(bottoms[:-1], tops, strict=True):
            top.reshape(count, *bottom.shape[1:])
            np.compress(kept, bottom.data, axis=0, out=top.data)

    def backward(self, ctx, tops, params, bottoms, need):
        kept = ctx.workspace["kept"]
        for bottom, top, needed in zip(bottoms[:-1], tops, need.bottoms[:-1], strict=True):
            if needed:
                bottom.diff[...] = 0
                bottom.diff[kept] = top.diff
