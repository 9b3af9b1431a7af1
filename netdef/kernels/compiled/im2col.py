"""im2col and col2im for one or two spatial axes, rows of columns or planes of images in parallel."""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import kernel, prange

Array = np.ndarray
Sizes = tuple[int, ...]


@kernel("f[4] i i i i i i f![6]")
def _im2col(x, stride_h, stride_w, pad_h, pad_w, step_h, step_w, col):
    channels, kernel_h, kernel_w, images, out_h, out_w = col.shape
    height, width = x.shape[2:]
    for row in prange(channels * kernel_h * kernel_w):
        c = row // (kernel_h * kernel_w)
        i = row // kernel_w % kernel_h
        j = row % kernel_w
        shift = j * step_w - pad_w
        first = min(max(0, (stride_w - 1 - shift) // stride_w), out_w)  # outputs from here ...
        last = max(min(out_w, (width - 1 - shift) // stride_w + 1), first)  # ... to before here meet the image
        for n in range(images):
            for oh in range(out_h):
                h = oh * stride_h - pad_h + i * step_h
                to = col[c, i, j, n, oh]
                if h < 0 or h >= height:
                    to[:] = 0
                    continue
                source = x[n, c, h]
                for ow in range(first):
                    to[ow] = 0
                if stride_w == 1:
                    for ow in range(first, last):
                        to[ow] = source[ow + shift]
                else:
                    for ow in range(first, last):
                        to[ow] = source[ow * stride_w + shift]
                for ow in range(last, out_w):
                    to[ow] = 0


@kernel("f[6] i i i i i i f![4]")
def _col2im(col, stride_h, stride_w, pad_h, pad_w, step_h, step_w, x):
    channels, kernel_h, kernel_w, _, out_h, out_w = col.shape
    images, _, height, width = x.shape
    for plane in prange(images * channels):
        n = plane // channels
        c = plane % channels
        x[n, c] = 0
        for i in range(kernel_h):
            for j in range(kernel_w):
                shift = j * step_w - pad_w
                first = min(max(0, (stride_w - 1 - shift) // stride_w), out_w)
                last = min(out_w, (width - 1 - shift) // stride_w + 1)
                for oh in range(out_h):
                    h = oh * stride_h - pad_h + i * step_h
                    if h < 0 or h >= height:
                        continue
                    to = x[n, c, h]
                    source = col[c, i, j, n, oh]
                    if stride_w == 1:
                        for ow in range(first, last):
                            to[ow + shift] += source[ow]
                    else:
                        for ow in range(first, last):
                            to[ow * stride_w + shift] += source[ow]


def im2col(x: Array, kernel: Sizes, stride: Sizes, pad: Sizes, dilation: Sizes, col: Array) -> None:
    """See the reference; one or two spatial axes."""
    if len(kernel) == 1:
        x, col = x[:, :, None, :], _flat_columns(col)
    _im2col(x, *_pair(stride, 1), *_pair(pad, 0), *_pair(dilation, 1), col)


def col2im(col: Array, kernel: Sizes, stride: Sizes, pad: Sizes, dilation: Sizes, x: Array) -> None:
    """See the reference; one or two spatial axes."""
    if len(kernel) == 1:
        x, col = x[:, :, None, :], _flat_columns(col)
    _col2im(col, *_pair(stride, 1), *_pair(pad, 0), *_pair(dilation, 1), x)


def _flat_columns(col: Array) -> Array:
    """Columns of one spatial axis as those of two whose first has size 1."""
    channels, kernel, images, out = col.shape
    return col.reshape(channels, 1, kernel, images, 1, out)


def _pair(sizes: Sizes, missing: int) -> Sizes:
    return (missing, *sizes) if len(sizes) == 1 else tuple(sizes)
