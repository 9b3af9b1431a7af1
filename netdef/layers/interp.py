"""Interp: an image of another size, by straight lines between its values."""
from __future__ import annotations

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer, Shape
from netdef.layers.constraints import Constraint, positive
from netdef.layers.registry import register


@register("Interp")
class Interp(Layer):
    r"""Brings an image to another size by straight lines between its values; its corners stay the corners.

    Formula: with h' = h * (H - 1) / (H' - 1), a = floor(h') and s = h' - a, rows are y[h] = (1 - s) * x[a] + s * x[a + 1];
    then the same for columns;  dx = each dy, by the same shares, to the values it came from.

    Shapes: bottom (N, C, H, W), cropped by pad_beg and pad_end (numbers up to 0) to (N, C, H, W) again; top (N, C, H', W')
    with H' = height; or (H - 1) / shrink_factor + 1, then (H - 1) * zoom_factor + 1; the same for the width.

    Numerical care: shares are computed in double precision. Caffe's own resizing of images puts half a pixel at the border; this
    one does not.

    Source: Chen, Papandreou, Kokkinos, Murphy and Yuille, DeepLab, 2015; Zhao et al., Pyramid Scene Parsing Network, CVPR
    2017; and their forks of Caffe.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 6 } } }
        layer { name: "large" type: "Interp" bottom: "data" top: "large" interp_param { zoom_factor: 2 } }
    """

    options_field = "interp_param"
    backward_reads = frozenset()
    constraints = {"zoom_factor": positive(), "shrink_factor": positive(), "pad_beg": Constraint(high=0),
                   "pad_end": Constraint(high=0)}

    def __init__(self, spec):
        super().__init__(spec)
        for one, other in (("height", "width"), ("width", "height")):
            if spec.has(one) and not spec.has(other):
                raise spec.error(f"expected {other} beside it", one)
            if spec.has(one) and getattr(self.options, one) < 1:
                raise spec.error(f"expected a positive number, got {getattr(self.options, one)}", one)
        if spec.has("height") and (spec.has("zoom_factor") or spec.has("shrink_factor")):
            raise spec.error("expected either a size or a factor, got both", "height")
        if not any(spec.has(name) for name in ("height", "zoom_factor", "shrink_factor")):
            raise spec.error("expected height and width, zoom_factor or shrink_factor")

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        if len(shape) != 4:
            raise self.spec.shape_error(f"expected a bottom of 4 axes (N, C, H, W), got {shape}", 0)
        image = [n + self.options.pad_beg + self.options.pad_end for n in shape[2:]]
        if min(image) < 1:
            raise self.spec.shape_error(f"nothing is left of an image of {shape[2]}x{shape[3]}", 0)
        return Inferred(tops=[(*shape[:2], *self._size(image))])

    def _size(self, image: list[int]) -> Shape:
        o = self.options
        if self.spec.has("height"):
            return o.height, o.width
        small = [(n - 1) // o.shrink_factor + 1 for n in image]
        return tuple(n + (n - 1) * (o.zoom_factor - 1) for n in small)

    def forward(self, ctx, bottoms, params, tops):
        x, y = self._image(bottoms[0].data), tops[0].data
        K.interp_forward(_planes(x), _planes(y))

    def backward(self, ctx, tops, params, bottoms, need):
        if not need.bottoms[0]:
            return
        dy, whole = tops[0].diff, bottoms[0].diff
        dx = self._image(whole)
        if dx.shape == whole.shape:
            K.interp_backward(_planes(dy), _planes(dx))
            return
        part = np.empty(dx.shape, dx.dtype)
        K.interp_backward(_planes(dy), _planes(part))
        whole[...] = 0
        dx[...] = part

    def _image(self, x: np.ndarray) -> np.ndarray:
        """What is left of the image."""
        begin, end = -self.options.pad_beg, self.options.pad_end
        return x[:, :, begin: x.shape[2] + end, begin: x.shape[3] + end]


def _planes(a: np.ndarray) -> np.ndarray:
    """(N, C, H, W) as (planes, H, W), C-contiguous."""
    return np.ascontiguousarray(a).reshape(-1, *a.shape[2:])
