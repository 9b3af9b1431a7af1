"""im2col and its adjoint for any number of spatial axes, over a block of images at once.

The columns have the images *behind* the window: (channels, *kernel, images, *out), so that one matrix product serves the
whole block, (channels * taps) rows by (images * out) columns.
"""
from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from netdef.kernels.reference.windows import span

Array = np.ndarray
Sizes = tuple[int, ...]
_ALL = slice(None)


def im2col(x: Array, kernel: Sizes, stride: Sizes, pad: Sizes, dilation: Sizes, col: Array) -> None:
    """col[c, *tap, n, *o] = x[n, c, *(o * stride - pad + tap * dilation)], 0 outside the image.

    x is (N, C, *image), col (C, *kernel, N, *out); the four tuples have one entry a spatial axis.
    """
    col[...] = 0
    images_first = col.transpose(_images_first(len(kernel)))
    for tap, to, frm in _taps(x.shape[2:], images_first.shape[2 + len(kernel):], kernel, stride, pad, dilation):
        at, source = (_ALL, _ALL, *tap, *to), (_ALL, _ALL, *frm)
        images_first[at] = x[source]


def col2im(col: Array, kernel: Sizes, stride: Sizes, pad: Sizes, dilation: Sizes, x: Array) -> None:
    """The adjoint: x = 0, then every element of col is added at the place im2col read it from. Shapes as in im2col."""
    x[...] = 0
    images_first = col.transpose(_images_first(len(kernel)))
    for tap, to, frm in _taps(x.shape[2:], images_first.shape[2 + len(kernel):], kernel, stride, pad, dilation):
        at, target = (_ALL, _ALL, *tap, *to), (_ALL, _ALL, *frm)
        x[target] += images_first[at]


def _images_first(axes: int) -> tuple[int, ...]:
    """Axis order that turns (C, *kernel, N, *out) into (N, C, *kernel, *out)."""
    return (axes + 1, 0, *range(1, axes + 1), *range(axes + 2, 2 * axes + 2))


def _taps(image: Sizes, out: Sizes, kernel: Sizes, stride: Sizes, pad: Sizes,
          dilation: Sizes) -> Iterator[tuple[tuple, tuple, tuple]]:
    """For each window place that meets the image: its index, the outputs it reaches and the inputs they meet."""
    for tap in itertools.product(*map(range, kernel)):
        spans = [span(image[a], out[a], tap[a] * dilation[a], stride[a], pad[a]) for a in range(len(kernel))]
        if all(to.stop > to.start for to, _ in spans):
            yield tap, tuple(to for to, _ in spans), tuple(frm for _, frm in spans)
