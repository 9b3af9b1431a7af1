"""Stochastic pooling of planes (..., height, width): draw a value of each window with probability in proportion to it.

Source: Zeiler and Fergus, Stochastic Pooling for Regularization of Deep Convolutional Neural Networks, ICLR 2013.

Windows start at out_index * stride and are clipped to the image; there is no padding. ``kernel`` and ``stride`` are
(height, width). Values are meant to be non-negative; a negative one counts as 0 when drawing.
"""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netdef.kernels.reference.windows import span

Array = np.ndarray
Pair = tuple[int, int]
Place = tuple


def stochastic_pool_draw(x: Array, u: Array, kernel: Pair, stride: Pair, out: Array, mask: Array) -> None:
    """out = the first value at which the running sum of the window reaches u * its whole sum; mask = its flat index.

    x is (..., H, W); u, out and mask (int32) are (..., OH, OW); u is in (0, 1]. A window of zeros gives its first
    value, one with a NaN gives NaN and the mask -1.
    """
    total = np.zeros(out.shape, out.dtype)
    for to, frm, _ in _taps(x.shape, out.shape, kernel, stride):
        total[to] += np.maximum(x[frm], 0)
    goal, running = u * total, np.zeros_like(total)
    out[...] = np.where(np.isnan(total), total, 0)
    mask[...] = -1
    for to, frm, index in _taps(x.shape, out.shape, kernel, stride):
        running[to] += np.maximum(x[frm], 0)
        hit = (mask[to] < 0) & (running[to] >= goal[to])
        np.copyto(out[to], x[frm], where=hit)
        np.copyto(mask[to], np.broadcast_to(index, hit.shape), where=hit)


def stochastic_pool_mean(x: Array, kernel: Pair, stride: Pair, out: Array) -> None:
    """out = sum(x * x) / sum(x) of each window, the mean of what would be drawn; 0 where the sum is not positive."""
    total = _sums(x, kernel, stride, out)
    np.divide(out, total, out=out, where=total > 0)
    np.copyto(out, 0, where=total <= 0)


def stochastic_pool_mean_backward(x: Array, dy: Array, kernel: Pair, stride: Pair, dx: Array) -> None:
    """dx = the sum over windows of dy * (2 * x - y) / sum(x), y being the forward result; overwrites."""
    y = np.empty(dy.shape, dy.dtype)
    total = _sums(x, kernel, stride, y)
    positive = total > 0
    np.divide(y, total, out=y, where=positive)
    share = np.divide(dy, total, out=np.zeros_like(y), where=positive)
    dx[...] = 0
    for to, frm, _ in _taps(x.shape, dy.shape, kernel, stride):
        dx[frm] += share[to] * (2 * x[frm] - y[to])


def _sums(x: Array, kernel: Pair, stride: Pair, squares: Array) -> Array:
    """The sum of each window; its sum of squares goes into ``squares``."""
    total = np.zeros(squares.shape, squares.dtype)
    squares[...] = 0
    for to, frm, _ in _taps(x.shape, squares.shape, kernel, stride):
        total[to] += x[frm]
        squares[to] += np.square(x[frm])
    return total


def _taps(image: tuple[int, ...], pooled: tuple[int, ...], kernel: Pair,
          stride: Pair) -> Iterator[tuple[Place, Place, Array]]:
    """For each place in the window, in scan order: the outputs it reaches, the inputs they meet, their flat indices."""
    for i in range(kernel[0]):
        to_rows, from_rows = span(image[-2], pooled[-2], i, stride[0], 0)
        for j in range(kernel[1]):
            to_columns, from_columns = span(image[-1], pooled[-1], j, stride[1], 0)
            rows, columns = np.arange(image[-2])[from_rows], np.arange(image[-1])[from_columns]
            index = (rows[:, None] * image[-1] + columns).astype(np.int32)
            yield (..., to_rows, to_columns), (..., from_rows, from_columns), index
