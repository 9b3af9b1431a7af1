"""Max and average pooling of planes (..., height, width) by Caffe's rules.

A window starts at out_index * stride - pad. Max: the window is clipped to the image; the first maximum in scan order
wins; a NaN or -inf is never chosen, and a window that has nothing else gives -FLT_MAX and the mask -1. Average: the divisor
is the window clipped to image + pad *before* it is clipped to the image, so padding counts and what hangs over it does not.
``kernel``, ``stride`` and ``pad`` are (height, width).
"""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netdef.kernels.reference.windows import span

Array = np.ndarray
Pair = tuple[int, int]

LOWEST = float(np.finfo(np.float32).min)  # for both dtypes, as in Caffe


def max_pool_forward(x: Array, kernel: Pair, stride: Pair, pad: Pair, out: Array, mask: Array) -> None:
    """out = the largest value of each window, mask = its flat index in the plane (int32), or -1.

    x is (..., H, W); out and mask are (..., OH, OW).
    """
    width = x.shape[-1]
    out[...] = LOWEST
    mask[...] = -1
    for _, _, to, frm, (rows, columns) in _taps(x.shape, out.shape, kernel, stride, pad):
        candidate = x[frm]
        better = candidate > out[to]
        np.copyto(out[to], candidate, where=better)
        index = (rows[:, None] * width + columns).astype(np.int32)
        np.copyto(mask[to], np.broadcast_to(index, better.shape), where=better)


def max_pool_backward(dy: Array, mask: Array, dx: Array) -> None:
    """dx = 0, then each dy is added at its mask's place; a mask of -1 passes nothing. dx is (..., H, W)."""
    plane = dx.shape[-2] * dx.shape[-1]
    planes = dx.size // plane if plane else 0
    dx[...] = 0
    if planes == 0 or dy.size == 0:
        return
    at = mask.reshape(planes, -1)
    hit = at >= 0
    flat = (at + np.arange(planes, dtype=np.int64)[:, None] * plane)[hit]
    summed = np.bincount(flat, weights=dy.reshape(planes, -1)[hit], minlength=dx.size)
    dx[...] = summed.reshape(dx.shape)


def ave_pool_forward(x: Array, kernel: Pair, stride: Pair, pad: Pair, out: Array) -> None:
    """out = the sum of each window over its divisor (see above); x is (..., H, W), out (..., OH, OW)."""
    out[...] = 0
    for _, _, to, frm, _ in _taps(x.shape, out.shape, kernel, stride, pad):
        np.add(out[to], x[frm], out=out[to])
    np.divide(out, _divisor(x.shape, out.shape, kernel, stride, pad).astype(out.dtype), out=out)


def ave_pool_backward(dy: Array, kernel: Pair, stride: Pair, pad: Pair, dx: Array) -> None:
    """dx = the sum over windows of dy over the window's divisor; dy is (..., OH, OW), dx (..., H, W)."""
    share = dy / _divisor(dx.shape, dy.shape, kernel, stride, pad).astype(dy.dtype)
    dx[...] = 0
    for _, _, to, frm, _ in _taps(dx.shape, dy.shape, kernel, stride, pad):
        np.add(dx[frm], share[to], out=dx[frm])


def _taps(image: tuple[int, ...], pooled: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair) -> Iterator[tuple]:
    """For each place in the window: its row and column, index of the outputs it reaches, of the inputs, and their rows."""
    for i in range(kernel[0]):
        to_rows, from_rows = span(image[-2], pooled[-2], i, stride[0], pad[0])
        for j in range(kernel[1]):
            to_columns, from_columns = span(image[-1], pooled[-1], j, stride[1], pad[1])
            rows = np.arange(image[-2])[from_rows]
            columns = np.arange(image[-1])[from_columns]
            if rows.size and columns.size:
                yield i, j, (..., to_rows, to_columns), (..., from_rows, from_columns), (rows, columns)


def _divisor(image: tuple[int, ...], pooled: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair) -> Array:
    """(OH, OW) window sizes; at least 1, so that a window wholly outside (stride > kernel) gives 0 and not NaN."""
    sides = []
    for axis in (0, 1):
        start = np.arange(pooled[axis - 2]) * stride[axis] - pad[axis]
        end = np.minimum(start + kernel[axis], image[axis - 2] + pad[axis])
        sides.append(np.maximum(end - start, 1))
    return sides[0][:, None] * sides[1][None, :]
