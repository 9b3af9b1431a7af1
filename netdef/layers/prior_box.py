"""PriorBox: the default boxes of a feature map."""
from __future__ import annotations

import math

import numpy as np

from netdef.layers.base import Inferred, Layer, LayerSpec, Shape, exactly
from netdef.layers.constraints import Constraint
from netdef.layers.registry import register

ABOVE_ZERO = Constraint(low=0, low_open=True)
SAME = 1e-6  # aspect ratios nearer than this are one


@register("PriorBox")
class PriorBox(Layer):
    r"""Lays default boxes over a picture, the same few at each place of a feature map; a detector learns to move them.

    Formula: the place in row i and column j has its centre at ((j + offset) step_w, (i + offset) step_h) in pixels. For
    each ``min_size`` m there are, in this order: a square of side m; with a ``max_size`` M a square of side sqrt(m M); for
    each aspect ratio a other than 1 a box m sqrt(a) wide and m / sqrt(a) high. With ``flip``, 1 / a follows each a.
    Corners are divided by the picture's width and height.

    Shapes: feature map (N, C, H, W) and picture (N, C', H', W'), of which only the sizes count. Top: (1, 2, H W P 4) for
    P boxes a place: boxes (xmin, ymin, xmax, ymax) row by row, then as many variances. There is no gradient.

    Numerical care: SSD cuts fractions of ``min_size`` and ``max_size`` off, and so does this layer, with a warning.
    The boxes are made once for each size and copied after that.

    Source: Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016; SSD's Caffe (weiliu89/caffe, branch ssd), whose
    files give its options number 203.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 64 dim: 64 } } }
        layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
                convolution_param { num_output: 8 kernel_size: 3 stride: 16 } }
        layer { name: "priors" type: "PriorBox" bottom: "conv" bottom: "data" top: "priors"
                prior_box_param { min_size: 16 max_size: 32 aspect_ratio: 2 variance: 0.1 variance: 0.1 variance: 0.2
                                  variance: 0.2 } }
    """

    options_field = "prior_box_param"
    bottoms = exactly(2)
    differentiable = False
    backward_reads = frozenset()
    constraints = {"min_size": Constraint(low=1, required=True), "max_size": ABOVE_ZERO, "aspect_ratio": ABOVE_ZERO,
                   "variance": ABOVE_ZERO, "img_size": ABOVE_ZERO, "img_h": ABOVE_ZERO, "img_w": ABOVE_ZERO,
                   "step": ABOVE_ZERO, "step_h": ABOVE_ZERO, "step_w": ABOVE_ZERO}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        o = self.options
        if len(o.max_size) not in (0, len(o.min_size)):
            raise spec.error(f"expected none, or one for each of the {len(o.min_size)} min_size, got {len(o.max_size)}",
                             "max_size")
        for small, large in zip(o.min_size, o.max_size, strict=False):
            if large <= small:
                raise spec.error(f"expected a number above its min_size {small:g}, got {large:g}", "max_size")
        if len(o.variance) not in (0, 1, 4):
            raise spec.error(f"expected one number or four, got {len(o.variance)}", "variance")
        self.image = self._pair("img_size", "img_h", "img_w")  # (height, width), (0, 0): the bottom's
        self.step = self._pair("step", "step_h", "step_w")
        self.sizes = self._box_sizes()
        self.made: tuple[tuple[Shape, Shape], np.ndarray] | None = None

    def _pair(self, both: str, height: str, width: str) -> tuple[float, float]:
        """(height, width) from one option or from two; zeros where neither is given."""
        has, o = self.spec.has, self.options
        if has(height) or has(width):
            if has(both):
                raise self.spec.error(f"expected this, or {height} and {width}, got both", both)
            if not (has(height) and has(width)):
                raise self.spec.error(f"expected {height} and {width}, got one of them", height if has(height) else width)
            return getattr(o, height), getattr(o, width)
        return (getattr(o, both),) * 2 if has(both) else (0, 0)

    def _box_sizes(self) -> np.ndarray:
        """(P, 2): width and height in pixels of the boxes of one place."""
        ratios = [1.0]
        for a in self.options.aspect_ratio:
            if all(abs(a - b) >= SAME for b in ratios):
                ratios += [a, 1 / a] if self.options.flip else [a]
        sizes: list[tuple[float, float]] = []
        for i, given in enumerate(self.options.min_size):
            small = self._whole(given, "min_size")
            sizes.append((small, small))
            if self.options.max_size:
                middle = math.sqrt(small * self._whole(self.options.max_size[i], "max_size"))
                sizes.append((middle, middle))
            sizes += [(small * math.sqrt(a), small / math.sqrt(a)) for a in ratios if abs(a - 1) >= SAME]
        return np.array(sizes)

    def _whole(self, size: float, option: str) -> int:
        if size != int(size):
            self.spec.warn(f"{size:g} is cut to {int(size)}, as SSD does", option, "write whole pixels")
        return int(size)

    def why_constant(self, bottom):
        return "PriorBox looks at sizes only"

    def infer(self, bottom_shapes):
        for i, shape in enumerate(bottom_shapes):
            if len(shape) != 4 or min(shape[2:]) < 1:
                raise self.spec.shape_error(f"expected a bottom of 4 axes (N, C, H, W), got {tuple(shape)}", i)
        height, width = bottom_shapes[0][2:]
        return Inferred(tops=[(1, 2, height * width * len(self.sizes) * 4)])

    def forward(self, ctx, bottoms, params, tops):
        key = (tuple(bottoms[0].shape[2:]), tuple(bottoms[1].shape[2:]))
        if self.made is None or self.made[0] != key:
            self.made = (key, self._make(*key))
        tops[0].data[...] = self.made[1]

    def _make(self, map_size: Shape, picture: Shape) -> np.ndarray:
        """(1, 2, H W P 4), float64."""
        height, width = self.image if self.image[0] else picture
        step = self.step if self.step[0] else (height / map_size[0], width / map_size[1])
        rows, columns = ((np.arange(n) + self.options.offset) * s for n, s in zip(map_size, step, strict=True))
        boxes = np.empty((*map_size, len(self.sizes), 4))
        boxes[..., 0::2], boxes[..., 1::2] = columns[:, None, None], rows[:, None, None, None]
        boxes[..., :2] -= self.sizes / 2
        boxes[..., 2:] += self.sizes / 2
        boxes /= (width, height, width, height)
        if self.options.clip:
            np.clip(boxes, 0, 1, out=boxes)
        variances = np.broadcast_to(np.array(self.options.variance or [0.1]), boxes.shape)
        return np.stack((boxes, variances)).reshape(1, 2, -1)
