"""Convolution as im2col and one matrix product for a block of images: the walk that both kinds of kernel share.

A product over one small image is too small for BLAS to be fast, and the columns of a whole batch of large images do not fit
a cache; so a block holds as many images as ``BLOCK_ELEMENTS`` allows. Columns have the images behind the window (see
``reference/im2col.py``), so the product of a block comes out as (filters, images, area) and is *unstaged* to (images,
filters, area) with the bias added on the way. A block of one image is written in place.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

Array = np.ndarray
Sizes = tuple[int, ...]

BLOCK_ELEMENTS = 1 << 20  # of columns: 4 MB of float32, a block that stays in a shared cache
WIDE_AREA = 256  # a 1x1 convolution over at least this many places needs no columns to be fast


class Steps(NamedTuple):
    """The four moves of memory around the product; the reference and the compiled kernels bring their own."""

    im2col: Callable[..., None]
    col2im: Callable[..., None]
    stage: Callable[[Array, Array], None]
    """(images, filters, area) -> (filters, images, area)"""
    unstage: Callable[[Array, Array | None, Array], None]
    """(filters, images, area), bias or None -> (images, filters, area)"""


@dataclass(frozen=True)
class Geometry:
    """The sizes of one convolution and how it is cut into blocks."""

    images: int
    channels: int
    filters: int
    group: int
    image: Sizes
    kernel: Sizes
    stride: Sizes
    pad: Sizes
    dilation: Sizes
    out: Sizes

    @property
    def area(self) -> int:
        """Places of one output plane."""
        return math.prod(self.out)

    @property
    def rows(self) -> int:
        """Rows of the columns: channels times window places."""
        return self.channels * math.prod(self.kernel)

    @property
    def pointwise(self) -> bool:
        """Whether the image itself serves as columns."""
        plain = all(k == 1 and s == 1 and p == 0 for k, s, p in zip(self.kernel, self.stride, self.pad, strict=True))
        return plain and self.area >= WIDE_AREA

    @property
    def block(self) -> int:
        """Images of a block."""
        if self.pointwise:
            return 1
        return max(1, min(self.images, BLOCK_ELEMENTS // max(1, self.rows * self.area)))

    @property
    def scratch(self) -> int:
        """Elements of scratch that a pass needs: columns, then the staged product."""
        columns = 0 if self.pointwise else self.block * self.area * self.rows
        staged = 0 if self.block == 1 else self.block * self.area * self.filters
        return columns + staged

    def blocks(self) -> Iterator[slice]:
        """The images of each block."""
        for first in range(0, self.images, self.block):
            yield slice(first, min(first + self.block, self.images))

    def columns(self, scratch: Array, count: int) -> Array:
        """The part of scratch for the columns of ``count`` images: (channels, *kernel, count, *out)."""
        size = self.rows * count * self.area
        return scratch.reshape(-1)[:size].reshape(self.channels, *self.kernel, count, *self.out)

    def staging(self, scratch: Array, count: int) -> Array:
        """The part of scratch for a product that is not written in place: (filters, count, area)."""
        begin = self.block * self.area * self.rows
        size = self.filters * count * self.area
        return scratch.reshape(-1)[begin: begin + size].reshape(self.filters, count, self.area)

    def as_columns(self, array: Array, count: int) -> Array:
        """The matrix of each group behind columns (or behind a single image): (group, rows / group, count * area)."""
        return array.reshape(self.group, self.rows // self.group, count * self.area)

    def as_product(self, array: Array, count: int) -> Array:
        """The matrix of each group behind outputs: (group, filters / group, count * area)."""
        return array.reshape(self.group, self.filters // self.group, count * self.area)

    def as_weights(self, w: Array) -> Array:
        """The matrix of each group behind the weights: (group, filters / group, rows / group)."""
        return w.reshape(self.group, self.filters // self.group, self.rows // self.group)


@lru_cache(maxsize=1024)
def geometry(x_shape: Sizes, w_shape: Sizes, stride: Sizes, pad: Sizes, dilation: Sizes, group: int) -> Geometry:
    """The geometry of a convolution of ``x_shape`` (N, C, *image) by ``w_shape`` (filters, C / group, *kernel)."""
    kernel, image = w_shape[2:], x_shape[2:]
    axes = zip(image, kernel, stride, pad, dilation, strict=True)
    out = tuple((i + 2 * p - (d * (k - 1) + 1)) // s + 1 for i, k, s, p, d in axes)
    return Geometry(x_shape[0], x_shape[1], w_shape[0], group, image, kernel, stride, pad, dilation, out)


def _fitting(g: Geometry, col: Array, dtype: np.dtype) -> Array:
    """``col``, or an array of its own for a caller who brought too little, or another dtype."""
    return col if col.size >= g.scratch and col.dtype == dtype else np.empty(g.scratch, dtype)


def forward(steps: Steps, x: Array, w: Array, bias: Array | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int,
            col: Array, out: Array) -> None:
    """out = convolution of x by w, plus bias."""
    g = geometry(x.shape, w.shape, tuple(stride), tuple(pad), tuple(dilation), group)
    weights, col = g.as_weights(w), _fitting(g, col, x.dtype)
    for images in g.blocks():
        count = images.stop - images.start
        columns = _columns(steps, g, x[images], col)
        result = out[images].reshape(count, g.filters, g.area)
        if g.block == 1:
            np.matmul(weights, columns, out=g.as_product(result, 1))
            if bias is not None:
                result += bias[:, None]
        else:
            product = g.staging(col, count)
            np.matmul(weights, columns, out=g.as_product(product, count))
            steps.unstage(product, bias, result)


def backward_data(steps: Steps, dy: Array, w: Array, stride: Sizes, pad: Sizes, dilation: Sizes, group: int, col: Array,
                  dx: Array) -> None:
    """dx = gradient by the input: the columns' gradient is a product, and col2im carries it back to the image."""
    g = geometry(dx.shape, w.shape, tuple(stride), tuple(pad), tuple(dilation), group)
    weights, col = g.as_weights(w).transpose(0, 2, 1), _fitting(g, col, dy.dtype)
    for images in g.blocks():
        count = images.stop - images.start
        outputs = _outputs(steps, g, dy[images], col)
        if g.pointwise:
            np.matmul(weights, outputs, out=g.as_columns(dx[images], 1))
        else:
            columns = g.columns(col, count)
            np.matmul(weights, outputs, out=g.as_columns(columns, count))
            steps.col2im(columns, g.kernel, g.stride, g.pad, g.dilation, dx[images])


def backward_weights(steps: Steps, x: Array, dy: Array, stride: Sizes, pad: Sizes, dilation: Sizes, group: int, col: Array,
                     dw: Array) -> None:
    """dw += gradient by the weights, block after block in order."""
    g = geometry(x.shape, dw.shape, tuple(stride), tuple(pad), tuple(dilation), group)
    gradient, col = g.as_weights(dw), _fitting(g, col, x.dtype)
    for images in g.blocks():
        columns = _columns(steps, g, x[images], col)
        outputs = _outputs(steps, g, dy[images], col)
        gradient += np.matmul(outputs, columns.transpose(0, 2, 1))


def _columns(steps: Steps, g: Geometry, x: Array, col: Array) -> Array:
    """The columns of these images, as one matrix a group."""
    if g.pointwise:
        return g.as_columns(x, 1)
    columns = g.columns(col, len(x))
    steps.im2col(x, g.kernel, g.stride, g.pad, g.dilation, columns)
    return g.as_columns(columns, len(x))


def _outputs(steps: Steps, g: Geometry, dy: Array, col: Array) -> Array:
    """The output gradient of these images, as one matrix a group."""
    count = len(dy)
    flat = dy.reshape(count, g.filters, g.area)
    if g.block == 1:
        return g.as_product(flat, 1)
    staged = g.staging(col, count)
    steps.stage(flat, staged)
    return g.as_product(staged, count)
