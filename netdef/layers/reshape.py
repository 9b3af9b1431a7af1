"""Reshape: the same values in another shape."""
from __future__ import annotations

import math

from netdef.layers.base import Inferred, Layer, Shape
from netdef.layers.registry import register


@register("Reshape")
class Reshape(Layer):
    r"""Gives the same values, in the same order, another shape.

    Formula: y = x and dx = dy, in another shape.

    Shapes: the axes of the bottom from ``axis`` on, ``num_axes`` of them (-1: all the rest), are replaced by those of
    ``shape``; the others stay. In ``shape``, 0 takes over the bottom's size at the same position, counted from ``axis``,
    and -1 (once at most) is worked out from the others. A negative ``axis`` counts from behind the last: -1 appends.

    Numerical care: none. In place is refused, as in Caffe.

    Source: BVLC Caffe, reshape_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
        layer { name: "flat" type: "Reshape" bottom: "data" top: "flat" reshape_param { shape { dim: 0 dim: -1 } } }
    """

    options_field = "reshape_param"
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        self.dims = tuple(self.options.shape.dim)
        if any(n < -1 for n in self.dims):
            raise spec.error(f"expected sizes of at least 0, or -1 for one to work out, got {min(self.dims)}", "shape")
        if self.dims.count(-1) > 1:
            raise spec.error(f"expected -1 once at most, got it {self.dims.count(-1)} times", "shape")
        if self.options.num_axes < -1:
            raise spec.error(f"expected a number of at least -1 (all the rest), got {self.options.num_axes}", "num_axes")

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        start, end = self._replaced(shape)
        dims = [self._copied(shape, start + i) if n == 0 else n for i, n in enumerate(self.dims)]
        if -1 in dims:
            dims[dims.index(-1)] = self._missing(shape, start, end, dims)
        top = (*shape[:start], *dims, *shape[end:])
        if math.prod(top) != math.prod(shape):
            raise self.spec.shape_error(f"expected as many values as the bottom's {math.prod(shape)} (shape {shape}), got "
                                        f"{math.prod(top)} (shape {top})", 0, "shape")
        return Inferred(tops=[top])

    def _replaced(self, shape: Shape) -> tuple[int, int]:
        """The first axis that is replaced, and the first behind them. Raises ShapeError."""
        o, ndim = self.options, len(shape)
        start = o.axis if o.axis >= 0 else ndim + o.axis + 1
        if not 0 <= start <= ndim:
            raise self.spec.shape_error(f"axis {o.axis} does not exist in a bottom of {ndim} axes", 0, "axis")
        end = ndim if o.num_axes == -1 else start + o.num_axes
        if end > ndim:
            raise self.spec.shape_error(f"expected at most {ndim - start} axes from axis {start} on, got num_axes "
                                        f"{o.num_axes} for a bottom of shape {shape}", 0, "num_axes")
        return start, end

    def _copied(self, shape: Shape, axis: int) -> int:
        """What a 0 stands for. Raises ShapeError."""
        if axis >= len(shape):
            raise self.spec.shape_error(f"a 0 takes over the bottom's axis {axis}, which does not exist in its shape "
                                        f"{shape}", 0, "shape", hint="write the size, or 1")
        return shape[axis]

    def _missing(self, shape: Shape, start: int, end: int, dims: list[int]) -> int:
        """What -1 stands for. Sizes taken over cancel out, so that it is known for a batch of 0 too."""
        pairs = [start + i for i, n in enumerate(self.dims) if n == 0 and start + i < end]
        values = math.prod(n for k, n in enumerate(shape[start:end], start) if k not in pairs)
        others = math.prod(n for i, n in enumerate(dims) if n != -1 and start + i not in pairs)
        if others == 0 or values % others:
            raise self.spec.shape_error(f"expected a number of values that the other sizes divide evenly, got {values} "
                                        f"values for {others} (bottom of shape {shape})", 0, "shape")
        return values // others

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = bottoms[0].data.reshape(tops[0].shape)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            bottoms[0].diff[...] = tops[0].diff.reshape(bottoms[0].shape)
