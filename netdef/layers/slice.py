"""Slice: one blob cut into several."""
from __future__ import annotations

from netdef.layers.base import Inferred, Layer, at_least, check_axis
from netdef.layers.registry import register


@register("Slice")
class Slice(Layer):
    r"""Cuts its bottom along ``axis`` into its tops, the reverse of Concat.

    Formula: [y_0, y_1, ...] = x;  dx = [dy_0, dy_1, ...].

    Shapes: bottom (N, C, H, W), tops (N, C_i, H, W) with the default ``axis: 1``. Each ``slice_point`` is where a top but
    the first begins; without any, the axis must divide evenly. Negative axes count from the end. ``slice_dim`` is the
    old spelling of ``axis``, from 0 up.

    Numerical care: none.

    Source: BVLC Caffe, slice_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 5 dim: 4 } } }
        layer { name: "cut" type: "Slice" bottom: "data" top: "head" top: "rest" slice_param { slice_point: 2 } }
    """

    options_field = "slice_param"
    tops = at_least(1)
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        self.option = "slice_dim" if spec.has("slice_dim") else "axis"
        if spec.has("axis") and spec.has("slice_dim"):
            raise spec.error("expected either axis or slice_dim, got both", "slice_dim",
                             hint="remove slice_dim, the old spelling")
        points = list(self.options.slice_point)
        if points and len(points) != spec.num_tops - 1:
            raise spec.error(f"expected one less than there are tops ({spec.num_tops - 1}), got {len(points)}",
                             "slice_point")
        if any(a >= b for a, b in zip([0, *points], points, strict=False)):
            raise spec.error(f"expected numbers above 0 in rising order, got {', '.join(map(str, points))}",
                             "slice_point")

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        axis = check_axis(self.spec, getattr(self.options, self.option), len(shape), self.option)
        return Inferred(tops=[(*shape[:axis], n, *shape[axis + 1:]) for n in self._sizes(shape[axis])])

    def _sizes(self, whole: int) -> list[int]:
        """How much of the axis each top gets. Raises ShapeError."""
        points, count = list(self.options.slice_point), self.spec.num_tops
        if not points:
            if whole % count:
                raise self.spec.shape_error(f"expected a size that {count} tops divide evenly, got {whole}", 0,
                                            hint="or say with slice_point where to cut")
            return [whole // count] * count
        if points[-1] >= whole:
            raise self.spec.shape_error(f"expected slice_point below the size {whole} of the axis, got {points[-1]}", 0,
                                        "slice_point")
        return [b - a for a, b in zip([0, *points], [*points, whole], strict=True)]

    def forward(self, ctx, bottoms, params, tops):
        for top, part in self._parts(bottoms[0].data, tops):
            top.data[...] = part

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            for top, part in self._parts(bottoms[0].diff, tops):
                part[...] = top.diff

    def _parts(self, whole, tops):
        """Each top with its part of the array ``whole``, a view."""
        axis, start = getattr(self.options, self.option) % whole.ndim, 0
        for top in tops:
            end = start + top.shape[axis]
            yield top, whole[(slice(None),) * axis + (slice(start, end),)]
            start = end
