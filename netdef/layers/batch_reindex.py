"""BatchReindex: items of a batch picked by number; and the reading of indices."""
from __future__ import annotations

import numpy as np

from netdef import kernels as K
from netdef.errors import DataError
from netdef.layers.base import Array, Inferred, Layer, LayerSpec, exactly
from netdef.layers.registry import register


@register("BatchReindex")
class BatchReindex(Layer):
    r"""Picks items of its first bottom by the numbers in its second, in that order; items may repeat or be left out.

    Formula: y[j] = x[index[j]];  dx[i] = sum of dy[j] over all j with index[j] = i. No gradient for the indices.

    Shapes: bottoms (N, ...) and (M), top (M, ...).

    Numerical care: indices are whole numbers from 0 to N - 1; any other is an error (Caffe cuts fractions off).
    Gradients of an item that was picked several times are added in the order of the picks.

    Source: BVLC Caffe, batch_reindex_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" top: "pick"
                input_param { shape { dim: 3 dim: 4 } shape { dim: 5 } } }
        layer { name: "picked" type: "BatchReindex" bottom: "data" bottom: "pick" top: "picked" }
    """

    bottoms = exactly(2)
    differentiable = (True, False)
    backward_reads = frozenset()

    def infer(self, bottom_shapes):
        data, index = (tuple(s) for s in bottom_shapes)
        names = self.spec.message.bottom
        if not data:
            raise self.spec.shape_error(f"expected at least 1 axis, got '{names[0]}' without any", 0)
        if len(index) != 1:
            raise self.spec.shape_error(f"expected indices in 1 axis, got '{names[1]}' of shape {index}", 1)
        return Inferred(tops=[(*index, *data[1:])], workspace={"index": Array(index, "int64")})

    def forward(self, ctx, bottoms, params, tops):
        index = ctx.workspace["index"]
        read_indices(self.spec, bottoms[1].data, bottoms[0].shape[0], 1, index)
        K.take_rows(bottoms[0].data, index, tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            bottoms[0].diff[...] = 0
            K.add_rows(tops[0].diff, ctx.workspace["index"], bottoms[0].diff)


def read_indices(spec: LayerSpec, values: np.ndarray, count: int, bottom: int, out: np.ndarray) -> None:
    """out = values as int64, of one shape. Raises DataError where one is no whole number from 0 to count - 1."""
    good = (values >= 0) & (values < count) & (np.floor(values) == values)
    if not good.all():
        place = tuple(int(k) for k in np.argwhere(~good)[0])
        raise DataError(f"{spec.who}: blob '{spec.message.bottom[bottom]}', place {place}: expected a whole number from "
                        f"0 to {count - 1}, got {values[place]:.9g}", where=spec.span("bottom", bottom))
    np.copyto(out, values, casting="unsafe")
