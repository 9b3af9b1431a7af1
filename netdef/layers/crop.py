"""Crop: one blob cut to the size of another."""
from __future__ import annotations

from netdef.layers.base import Inferred, Layer, Shape, check_axis, exactly
from netdef.layers.registry import register


@register("Crop")
class Crop(Layer):
    r"""Cuts its first bottom to the size of its second, along the axes from ``axis`` on.

    Formula: y = x[..., offset : offset + size, ...];  dx = dy inside the cut, 0 outside. The second bottom lends its
    shape only and gets no gradient.

    Shapes: bottoms (N, C, H, W) and (., ., h, w), top (N, C, h, w) with the default ``axis: 2``. Both have as many axes.
    ``offset`` is one number for all axes cut, or one for each; unset it is 0, the corner and not the centre.

    Numerical care: none.

    Source: BVLC Caffe, crop_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" top: "size"
                input_param { shape { dim: 2 dim: 3 dim: 6 dim: 6 } shape { dim: 2 dim: 1 dim: 4 dim: 5 } } }
        layer { name: "crop" type: "Crop" bottom: "data" bottom: "size" top: "crop" crop_param { offset: 1 } }
    """

    options_field = "crop_param"
    bottoms = exactly(2)
    differentiable = (True, False)
    backward_reads = frozenset()

    def infer(self, bottom_shapes):
        shape, size = (tuple(s) for s in bottom_shapes)
        axis = check_axis(self.spec, self.options.axis, len(shape))
        if len(size) != len(shape):
            raise self.spec.shape_error(f"expected two bottoms with as many axes, got the shapes {shape} and {size}", 1)
        given = len(self.options.offset)
        if given > 1 and given != len(shape) - axis:
            raise self.spec.shape_error(f"expected 1 offset or one an axis cut ({len(shape) - axis}), got {given}", 0,
                                        "offset")
        top = (*shape[:axis], *size[axis:])
        for k, first in enumerate(self._offsets(len(shape))):
            if first + top[k] > shape[k]:
                raise self.spec.shape_error(f"axis {k}: offset {first} and size {top[k]} pass the end, {shape[k]}", 0,
                                            "offset" if given else "")
        return Inferred(tops=[top])

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = bottoms[0].data[self._window(tops[0].shape)]

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            bottoms[0].diff[...] = 0
            bottoms[0].diff[self._window(tops[0].shape)] = tops[0].diff

    def _offsets(self, ndim: int) -> Shape:
        """Where the cut begins on each axis; 0 on those before ``axis``."""
        axis, given = self.options.axis % ndim, tuple(self.options.offset) or (0,)
        return (0,) * axis + (given if len(given) > 1 else given * (ndim - axis))

    def _window(self, top: Shape) -> tuple[slice, ...]:
        return tuple(slice(first, first + n) for first, n in zip(self._offsets(len(top)), top, strict=True))
