"""Upsample: a larger image, from the places of a max pooling (SegNet) or by repetition (YOLO)."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Array, Inferred, Layer, Shape, between
from netdef.layers.constraints import positive
from netdef.layers.registry import register


@register("Upsample")
class Upsample(Layer):
    r"""Makes an image larger: with a second bottom each value goes where a max pooling found it, else it fills a square.

    Formula: two bottoms (x, mask): y = 0, then y[mask[i]] = x[i] in each plane, dx[i] = dy[mask[i]]; one bottom: y[h, w] =
    x[floor(h / scale), floor(w / scale)], dx = the sum of dy over the square.

    Shapes: bottoms (N, C, H, W) and, where given, a mask of the same shape with flat places in the top's planes: the second
    top of a Pooling layer. Top (N, C, H * scale, W * scale), less a row or column with pad_out_h or pad_out_w, or (N, C,
    upsample_h, upsample_w).

    Numerical care: of values that go to one place the last stays. A mask that points outside the top is an error: the top
    must have the size of the image that was pooled. The mask gets no gradient.

    Source: Badrinarayanan, Kendall and Cipolla, SegNet, 2015, and their fork of Caffe; with one bottom, the YOLO nets of
    Darknet, Redmon and Farhadi, 2018.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 6 } } }
        layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" top: "mask"
                pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
        layer { name: "back" type: "Upsample" bottom: "pool" bottom: "mask" top: "back" upsample_param { scale: 2 } }
    """

    options_field = "upsample_param"
    bottoms = between(1, 2)
    backward_reads = frozenset()
    differentiable = (True, False)
    constraints = {name: positive() for name in ("scale", "scale_h", "scale_w", "upsample_h", "upsample_w")}

    def __init__(self, spec):
        super().__init__(spec)
        self.placed = spec.num_bottoms == 2
        if not self.placed:
            for name in ("scale_h", "scale_w", "pad_out_h", "pad_out_w", "upsample_h", "upsample_w"):
                if spec.has(name):
                    raise spec.error("needs a second bottom, the mask of a max pooling", name)
        for one, other in (("scale_h", "scale_w"), ("scale_w", "scale_h"), ("upsample_h", "upsample_w"),
                           ("upsample_w", "upsample_h")):
            if spec.has(one) and not spec.has(other):
                raise spec.error(f"expected {other} beside it", one)

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        if len(shape) != 4:
            raise self.spec.shape_error(f"expected a bottom of 4 axes (N, C, H, W), got {shape}", 0)
        if self.placed and tuple(bottom_shapes[1]) != shape:
            raise self.spec.shape_error(f"expected a mask of the shape of the first bottom, {shape}, got "
                                        f"{tuple(bottom_shapes[1])}", 1)
        top = (*shape[:2], *self._size(shape))
        if min(top[2:]) < 1 and min(shape[2:]) >= 1:
            raise self.spec.shape_error(f"nothing is left of an image of {shape[2]}x{shape[3]}", 0)
        return Inferred(tops=[top], workspace={"places": Array(shape, "int32")} if self.placed else {})

    def _size(self, shape: Shape) -> tuple[int, int]:
        """Height and width of the top."""
        o = self.options
        if self.spec.has("upsample_h"):
            return o.upsample_h, o.upsample_w
        if self.spec.has("scale_h"):
            scale = (o.scale_h, o.scale_w)
        else:
            scale = (o.scale if self.spec.has("scale") else 1 + self.placed,) * 2
        return shape[2] * scale[0] - o.pad_out_h, shape[3] * scale[1] - o.pad_out_w

    def forward(self, ctx, bottoms, params, tops):
        x, y = bottoms[0].data, tops[0].data
        if not self.placed:
            scale = y.shape[2] // max(1, x.shape[2])
            y.reshape(*x.shape[:3], scale, x.shape[3], scale)[...] = x[:, :, :, None, :, None]
            return
        places = ctx.workspace["places"]
        mask = bottoms[1].data
        plane = y.shape[2] * y.shape[3]
        if mask.size and not (mask.min() >= 0 and mask.max() < plane):  # a NaN is refused, too
            raise self.spec.shape_error(f"the mask holds {mask.min():g} to {mask.max():g}, outside a plane of "
                                        f"{y.shape[2]}x{y.shape[3]}: expected the size of the image that was pooled", 1)
        places[...] = mask
        y[...] = 0
        flat, planes = y.reshape(-1, plane), max(1, x.shape[0] * x.shape[1])
        np.put_along_axis(flat, places.reshape(planes, -1).astype(np.int64), x.reshape(planes, -1), axis=1)

    def backward(self, ctx, tops, params, bottoms, need):
        if not need.bottoms[0]:
            return
        dy, dx = tops[0].diff, bottoms[0].diff
        if not self.placed:
            scale = dy.shape[2] // max(1, dx.shape[2])
            dx[...] = dy.reshape(*dx.shape[:3], scale, dx.shape[3], scale).sum(axis=(3, 5))
            return
        planes = dx.shape[0] * dx.shape[1]
        places = ctx.workspace["places"].reshape(planes, -1).astype(np.int64)
        dx.reshape(planes, -1)[...] = np.take_along_axis(dy.reshape(planes, -1), places, axis=1)
