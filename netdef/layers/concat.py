"""Concat: several blobs one behind the other."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer, LayerSpec, at_least, check_axis
from netdef.layers.registry import register


@register("Concat")
class Concat(Layer):
    r"""Puts its bottoms one behind the other along ``axis``.

    Formula: y = [x_0, x_1, ...];  dx_i = the part of dy that came from x_i.

    Shapes: bottoms (N, C_i, H, W), top (N, C_0 + C_1 + ..., H, W) with the default ``axis: 1``; all other axes must
    agree. Negative axes count from the end. ``concat_dim`` is the old spelling of ``axis``, from 0 up.

    Numerical care: none.

    Source: BVLC Caffe, concat_layer.

    Example::

        layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 2 dim: 3 dim: 4 } } }
        layer { name: "b" type: "Input" top: "b" input_param { shape { dim: 2 dim: 1 dim: 4 } } }
        layer { name: "ab" type: "Concat" bottom: "a" bottom: "b" top: "ab" concat_param { axis: 1 } }
    """

    options_field = "concat_param"
    bottoms = at_least(1)
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        self.option = "concat_dim" if spec.has("concat_dim") else "axis"
        if spec.has("axis") and spec.has("concat_dim"):
            raise spec.error("expected either axis or concat_dim, got both", "concat_dim",
                             hint="remove concat_dim, the old spelling")

    def infer(self, bottom_shapes):
        first = tuple(bottom_shapes[0])
        axis = check_axis(self.spec, getattr(self.options, self.option), len(first), self.option)
        for i, shape in enumerate(bottom_shapes):
            _check_rest(self.spec, first, tuple(shape), i, axis)
        return Inferred(tops=[(*first[:axis], sum(s[axis] for s in bottom_shapes), *first[axis + 1:])])

    def forward(self, ctx, bottoms, params, tops):
        np.concatenate([b.data for b in bottoms], axis=self._axis(tops[0]), out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        axis, dy, start = self._axis(tops[0]), tops[0].diff, 0
        for bottom, needed in zip(bottoms, need.bottoms, strict=True):
            end = start + bottom.shape[axis]
            if needed:
                bottom.diff[...] = dy[(slice(None),) * axis + (slice(start, end),)]
            start = end

    def _axis(self, top):
        """The axis counted from the front; infer has checked it."""
        return getattr(self.options, self.option) % len(top.shape)


def _check_rest(spec: LayerSpec, first: tuple[int, ...], shape: tuple[int, ...], i: int, axis: int) -> None:
    """Raise ShapeError unless bottom ``i`` differs from the first in no axis but ``axis``."""
    if len(shape) != len(first) or any(m != n for k, (m, n) in enumerate(zip(first, shape, strict=True)) if k != axis):
        names = spec.message.bottom
        raise spec.shape_error(f"expected bottoms that differ in axis {axis} only, got '{names[0]}' of shape {first} "
                               f"and '{names[i]}' of shape {shape}", i)
