"""ArgMax: where the highest scores are."""
from __future__ import annotations

import math

import numpy as np

from netdef.layers.base import Inferred, Layer, check_axis
from netdef.layers.constraints import positive
from netdef.layers.registry import register


@register("ArgMax")
class ArgMax(Layer):
    r"""Lists the places of the ``top_k`` highest scores, the highest first.

    Formula: y_j = the index of the j-th highest x, from 0 on. No gradient.

    Shapes: bottom (N, C, ...). Without ``axis`` each item is searched as one vector: top (N, 1, top_k), or (N, 2, top_k)
    with ``out_max_val``, indices and then scores; with more axes of size 1 behind it where the bottom has more than
    three. With ``axis``, the top has the bottom's shape with top_k in place of that axis, and holds indices, or
    scores in place of them with ``out_max_val``.

    Numerical care: of equal scores the higher index comes first, as in Caffe. A NaN comes before any number, so that
    broken scores show. Indices are numbers of the net's precision: float32 holds them exactly up to 16777216.

    Source: BVLC Caffe, argmax_layer.

    Example::

        layer { name: "data" type: "Input" top: "score" input_param { shape { dim: 2 dim: 10 } } }
        layer { name: "best" type: "ArgMax" bottom: "score" top: "best" argmax_param { axis: 1 top_k: 3 } }
    """

    options_field = "argmax_param"
    differentiable = False
    backward_reads = frozenset()
    constraints = {"top_k": positive()}

    def infer(self, bottom_shapes):
        shape, o = tuple(bottom_shapes[0]), self.options
        given = self.spec.has("axis")
        axis = check_axis(self.spec, o.axis if given else 0, len(shape))
        searched = shape[axis] if given else math.prod(shape[1:])
        if o.top_k > searched:
            raise self.spec.shape_error(f"expected top_k of at most the {searched} values that are searched, got "
                                        f"{o.top_k}", 0, "top_k")
        if given:
            return Inferred(tops=[(*shape[:axis], o.top_k, *shape[axis + 1:])])
        return Inferred(tops=[(shape[0], 2 if o.out_max_val else 1, o.top_k, *(1,) * (len(shape) - 3))])

    def forward(self, ctx, bottoms, params, tops):
        x, y, o = bottoms[0].data, tops[0].data, self.options
        if self.spec.has("axis"):
            best = _highest(x, o.axis, o.top_k)
            y[...] = np.take_along_axis(x, best, o.axis) if o.out_max_val else best
            return
        x = x.reshape(len(x), math.prod(x.shape[1:]))
        best = _highest(x, 1, o.top_k)
        y = y.reshape(y.shape[:3])
        y[:, 0] = best
        if o.out_max_val:
            y[:, 1] = np.take_along_axis(x, best, 1)


def _highest(x: np.ndarray, axis: int, k: int) -> np.ndarray:
    """Indices of the k largest along ``axis``, falling; of equal values the last comes first, NaN before all."""
    backwards = np.flip(x, axis)
    if k == 1:
        return x.shape[axis] - 1 - np.argmax(backwards, axis=axis, keepdims=True)
    order = np.flip(np.argsort(x, axis=axis, kind="stable"), axis)
    return np.take(order, np.arange(k), axis=axis)
