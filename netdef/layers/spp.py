"""SPP: spatial pyramid pooling."""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, Shape
from netdef.layers.constraints import positive
from netdef.layers.pooling import AVE, MAX, STOCHASTIC, Pair, pooled_length
from netdef.layers.registry import register


class Level(NamedTuple):
    """One grid of the pyramid: its window and how many bins it really has, as (height, width)."""

    kernel: Pair
    pad: Pair
    bins: Pair


@register("SPP")
class SPP(Layer):
    r"""Pools each channel on grids of 1, 2, 4, ... bins a side and joins the results: a vector of one length for any
    image.

    Formula: level i has 2^i bins a side, kernel = stride = ceil(image / 2^i) and pad = floor((2^i * kernel - image + 1)
    / 2), pooled as the layer Pooling does (``pool``: MAX, AVE or STOCHASTIC). dx is the sum of what the levels send
    down.

    Shapes: bottom (N, C, H, W); top (N, C * (4^pyramid_height - 1) / 3), level after level. With ``pyramid_height: 1``
    the top stays (N, C, 1, 1), as in Caffe.

    Numerical care: as Pooling; in AVE the padding counts in the divisor. A level whose padding would reach its kernel
    has more bins than the image can fill, and is an error. STOCHASTIC takes no padding, so the image's sides must be
    multiples of the largest number of bins.

    Source: He, Zhang, Ren and Sun, Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition, ECCV
    2014; BVLC Caffe, spp_layer.

    Example::

        layer { name: "data" type: "Input" top: "conv5" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 8 } } }
        layer { name: "spp" type: "SPP" bottom: "conv5" top: "spp" spp_param { pyramid_height: 3 } }
    """

    options_field = "spp_param"
    backward_reads = frozenset()
    constraints = {"pyramid_height": positive(required=True)}

    def __init__(self, spec):
        super().__init__(spec)
        self.pool = self.options.pool
        self.draws = self.pool == STOCHASTIC and spec.phase == "TRAIN"
        if self.pool == STOCHASTIC and not self.draws:
            self.backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        levels = self._levels(shape)
        planes = [(*shape[:2], *level.bins) for level in levels]
        features = sum(math.prod(p[1:]) for p in planes)
        masks = {f"mask{i}": Array(p, "int32") for i, p in enumerate(planes)}
        scratch = {f"level{i}": Array(p) for i, p in enumerate(planes)}
        if len(levels) > 1:
            scratch["dx"] = Array(shape)
        return Inferred(tops=[planes[0] if len(levels) == 1 else (shape[0], features)],
                        workspace=masks if self.pool == MAX or self.draws else {}, scratch=scratch)

    def forward(self, ctx, bottoms, params, tops):
        x, y = bottoms[0].data, tops[0].data.reshape(tops[0].shape[:2])
        u = 1 - ctx.rng.uniform(y.shape) if self.draws else None  # in (0, 1], as Pooling draws
        for i, level, part in self._parts(x.shape):
            out, mask = ctx.scratch[f"level{i}"], ctx.workspace.get(f"mask{i}")
            if self.pool == MAX:
                K.max_pool_forward(x, level.kernel, level.kernel, level.pad, out, mask)
            elif self.pool == AVE:
                K.ave_pool_forward(x, level.kernel, level.kernel, level.pad, out)
            elif u is not None:
                K.stochastic_pool_draw(x, u[:, part].reshape(out.shape), level.kernel, level.kernel, out, mask)
            else:
                K.stochastic_pool_mean(x, level.kernel, level.kernel, out)
            y[:, part] = out.reshape(y[:, part].shape)

    def backward(self, ctx, tops, params, bottoms, need):
        if not need.bottoms[0]:
            return
        whole, all_dy = bottoms[0].diff, tops[0].diff.reshape(tops[0].shape[:2])
        for i, level, part in self._parts(whole.shape):
            dy, dx = ctx.scratch[f"level{i}"], ctx.scratch["dx"] if i else whole
            dy[...] = all_dy[:, part].reshape(dy.shape)
            if self.pool == MAX or self.draws:
                K.max_pool_backward(dy, ctx.workspace[f"mask{i}"], dx)
            elif self.pool == AVE:
                K.ave_pool_backward(dy, level.kernel, level.kernel, level.pad, dx)
            else:
                K.stochastic_pool_mean_backward(bottoms[0].data, dy, level.kernel, level.kernel, dx)
            if i:
                np.add(whole, dx, out=whole)

    def _parts(self, shape: Shape):
        """Each level with its number and the slice of the features it fills."""
        begin = 0
        for i, level in enumerate(self._levels(shape)):
            end = begin + shape[1] * math.prod(level.bins)
            yield i, level, slice(begin, end)
            begin = end

    def _levels(self, shape: Shape) -> list[Level]:
        if len(shape) != 4:
            raise self.spec.shape_error(f"expected a bottom of 4 axes (N, C, H, W), got {shape}", 0)
        if 0 in shape[1:]:
            raise self.spec.shape_error(f"expected an image with at least one value, got {shape}", 0)
        return [self._level(2**i, shape) for i in range(self.options.pyramid_height)]

    def _level(self, bins: int, shape: Shape) -> Level:
        image = shape[2:]
        kernel = tuple(-(-size // bins) for size in image)
        pad = tuple((k * bins - size + 1) // 2 for k, size in zip(kernel, image, strict=True))
        if any(p >= k for p, k in zip(pad, kernel, strict=True)):
            raise self.spec.shape_error(f"{bins} bins a side do not fit on an image of {image[0]}x{image[1]}: bins of "
                                        f"{kernel[0]}x{kernel[1]} would need {pad[0]}x{pad[1]} of padding", 0,
                                        hint="use a smaller pyramid_height")
        if self.pool == STOCHASTIC and any(pad):
            raise self.spec.shape_error(f"STOCHASTIC takes no padding, but {bins} bins a side on an image of "
                                        f"{image[0]}x{image[1]} need {pad[0]}x{pad[1]}", 0)
        sizes = [pooled_length(image[a], kernel[a], kernel[a], pad[a], any(pad)) for a in (0, 1)]
        return Level((kernel[0], kernel[1]), (pad[0], pad[1]), (sizes[0], sizes[1]))
