"""Max and average pooling, planes in parallel. Rules and shapes: see the reference.

A window is taken in two moves that both run along rows, so that they use vector registers. First its rows are put together
into one; this is split by phase, the columns 0, stride, 2 stride, ... apart from 1, stride + 1, ...; then each of the window's
columns is, for all outputs of the row, one stretch of a phase. Where the window is the whole image, a plane is summed at once.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled import depthwise3
from netdef.kernels.compiled.max_pool import max_pool_rows
from netdef.kernels.jit import helper, kernel, prange
from netdef.kernels.reference.pooling import LOWEST as _LOWEST

Array = np.ndarray
Pair = tuple[int, int]

LOWEST = np.float32(_LOWEST)
NOWHERE = np.int32(-1)


@helper
def _meets(out_size, size, tap, stride, pad):
    """The outputs first .. last - 1 whose place ``tap`` of the window lies inside the image (see reference/windows.py)."""
    first = max(0, -((tap - pad) // stride))
    last = min(out_size, (size - 1 + pad - tap) // stride + 1)
    return first, max(last, first)


@helper
def _larger_rows(row, start, best, at):
    """Take a row of the image, whose first place is number ``start``, into the best of each column and their places."""
    for w in range(row.size):
        better = row[w] > best[w]
        best[w] = row[w] if better else best[w]
        at[w] = np.int32(start + w) if better else at[w]


@helper
def _split(row, stride, phases):
    """phases[p, i] = row[i * stride + p]; phases is (stride, at least row.size / stride, rounded up)."""
    for p in range(stride):
        to, count = phases[p], (row.size - p + stride - 1) // stride
        if stride == 1:
            for i in range(count):
                to[i] = row[i]
        elif stride == 2:
            source = row[p:]
            for i in range(count):
                to[i] = source[2 * i]
        else:
            for i in range(count):
                to[i] = row[i * stride + p]


@helper
def _larger_column(value, place, out, mask):
    """Take one column of the windows into the outputs; of equal values the first in scan order stays."""
    for o in range(out.size):
        v, at, best, at_best = value[o], place[o], out[o], mask[o]
        better = (v > best) | ((v == best) & (at < at_best))
        out[o] = v if better else best
        mask[o] = at if better else at_best


@kernel("f[3] i i i i i i f![3] j![3]")
def _max_pool(x, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, out, mask):
    planes, height, width = x.shape
    out_h, out_w = out.shape[1:]
    for p in prange(planes):
        best, at = np.empty(width, np.float32), np.empty(width, np.int32)
        values = np.empty((stride_w, width // stride_w + 1), np.float32)
        places = np.empty((stride_w, width // stride_w + 1), np.int32)
        for oh in range(out_h):
            best[:] = LOWEST
            at[:] = NOWHERE
            for h in range(max(oh * stride_h - pad_h, 0), min(oh * stride_h - pad_h + kernel_h, height)):
                _larger_rows(x[p, h], h * width, best, at)
            _split(best, stride_w, values)
            _split(at, stride_w, places)
            out[p, oh] = LOWEST
            mask[p, oh] = NOWHERE
            for j in range(kernel_w):
                first, last = _meets(out_w, width, j, stride_w, pad_w)
                phase, begin = (j - pad_w) % stride_w, first + (j - pad_w) // stride_w
                end = begin + last - first
                _larger_column(values[phase, begin:end], places[phase, begin:end], out[p, oh, first:last],
                               mask[p, oh, first:last])


@kernel("f[2] j[2] f![2]")
def _max_pool_gradient(dy, mask, dx):
    for p in prange(dx.shape[0]):
        for i in range(dx.shape[1]):
            dx[p, i] = 0
        for i in range(dy.shape[1]):
            at = mask[p, i]
            if at >= 0:
                dx[p, at] += dy[p, i]


@helper
def _divisor(o, size, kernel, stride, pad):
    """Places of window o along one axis, those in the padding included; at least 1."""
    start = o * stride - pad
    return max(min(start + kernel, size + pad) - start, 1)


@helper
def _add(x, out):
    for i in range(out.size):
        out[i] += x[i]


@helper
def _shares(width, kernel, stride, pad, out):
    """out[o] = 1 / places of window o along one axis."""
    for o in range(out.size):
        out[o] = np.float32(1) / np.float32(_divisor(o, width, kernel, stride, pad))


@kernel("f[3] i i i i i i f![3]")
def _ave_pool(x, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, out):
    planes, height, width = x.shape
    out_h, out_w = out.shape[1:]
    for p in prange(planes):
        row, factor = np.empty(width, np.float32), np.empty(out_w, np.float32)
        phases = np.empty((stride_w, width // stride_w + 1), np.float32)
        _shares(width, kernel_w, stride_w, pad_w, factor)
        for oh in range(out_h):
            row[:] = 0
            for h in range(max(oh * stride_h - pad_h, 0), min(oh * stride_h - pad_h + kernel_h, height)):
                _add(x[p, h], row)
            _split(row, stride_w, phases)
            sums = out[p, oh]
            sums[:] = 0
            for j in range(kernel_w):
                first, last = _meets(out_w, width, j, stride_w, pad_w)
                phase, begin = (j - pad_w) % stride_w, first + (j - pad_w) // stride_w
                _add(phases[phase, begin: begin + last - first], sums[first:last])
            share = np.float32(1) / np.float32(_divisor(oh, height, kernel_h, stride_h, pad_h))
            for o in range(out_w):
                sums[o] *= factor[o] * share


@kernel("f[2] f![1]", fastmath=True)
def _plane_mean(x, out):
    for p in prange(x.shape[0]):
        total = np.float32(0)
        for i in range(x.shape[1]):
            total += x[p, i]
        out[p] = total / np.float32(x.shape[1])


@kernel("f[1] f![2]")
def _plane_mean_gradient(dy, dx):
    for p in prange(dx.shape[0]):
        dx[p] = dy[p] / np.float32(dx.shape[1])


@helper
def _join(phases, stride, row):
    """The inverse of _split."""
    for p in range(stride):
        source, count = phases[p], (row.size - p + stride - 1) // stride
        if stride == 1:
            for i in range(count):
                row[i] = source[i]
        elif stride == 2:
            to = row[p:]
            for i in range(count):
                to[2 * i] = source[i]
        else:
            for i in range(count):
                row[i * stride + p] = source[i]


@kernel("f[3] i i i i i i f![3]")
def _ave_pool_gradient(dy, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dx):
    planes, height, width = dx.shape
    out_h, out_w = dy.shape[1:]
    for p in prange(planes):
        row, factor, shares = np.empty(width, np.float32), np.empty(out_w, np.float32), np.empty(out_w, np.float32)
        phases = np.empty((stride_w, width // stride_w + 1), np.float32)
        _shares(width, kernel_w, stride_w, pad_w, factor)
        dx[p] = 0
        for oh in range(out_h):
            share = np.float32(1) / np.float32(_divisor(oh, height, kernel_h, stride_h, pad_h))
            for o in range(out_w):
                shares[o] = dy[p, oh, o] * (factor[o] * share)
            phases[:] = 0
            for j in range(kernel_w):
                first, last = _meets(out_w, width, j, stride_w, pad_w)
                phase, begin = (j - pad_w) % stride_w, first + (j - pad_w) // stride_w
                _add(shares[first:last], phases[phase, begin: begin + last - first])
            _join(phases, stride_w, row)
            for h in range(max(oh * stride_h - pad_h, 0), min(oh * stride_h - pad_h + kernel_h, height)):
                _add(row, dx[p, h])


def max_pool_forward(x: Array, kernel: Pair, stride: Pair, pad: Pair, out: Array, mask: Array) -> None:
    """See the reference."""
    if stride[1] <= 2:
        height, width = x.shape[-2:]
        max_pool_rows(x.reshape(-1), int(np.prod(x.shape[:-2])), height, width, *kernel, *stride, *pad, *out.shape[-2:],
                      out.reshape(-1), mask.reshape(-1))
    else:
        _max_pool(_planes(x), *kernel, *stride, *pad, _planes(out), _planes(mask))


def max_pool_backward(dy: Array, mask: Array, dx: Array) -> None:
    """See the reference."""
    planes = int(np.prod(dx.shape[:-2]))
    _max_pool_gradient(*(a.reshape(planes, a.shape[-2] * a.shape[-1]) for a in (dy, mask, dx)))


def ave_pool_forward(x: Array, kernel: Pair, stride: Pair, pad: Pair, out: Array) -> None:
    """See the reference."""
    if _whole(x, kernel, pad, out):
        _plane_mean(x.reshape(out.size, x.shape[-2] * x.shape[-1]), out.reshape(-1))
    elif _three(kernel, stride, pad):
        depthwise3.window_sums(_planes(x), 1 / 9, stride[0], pad, _planes(out))
        _correct(_planes(out), x.shape[-2:], stride, pad)
    else:
        _ave_pool(_planes(x), *kernel, *stride, *pad, _planes(out))


def ave_pool_backward(dy: Array, kernel: Pair, stride: Pair, pad: Pair, dx: Array) -> None:
    """See the reference."""
    if _whole(dx, kernel, pad, dy):
        _plane_mean_gradient(dy.reshape(-1), dx.reshape(dy.size, dx.shape[-2] * dx.shape[-1]))
    elif _three(kernel, stride, pad):
        part = _correct(_planes(dy), dx.shape[-2:], stride, pad, copy=True)
        depthwise3.window_sums_gradient(part, 1 / 9, stride[0], pad, _planes(dx))
    else:
        _ave_pool_gradient(_planes(dy), *kernel, *stride, *pad, _planes(dx))


def _whole(image: Array, kernel: Pair, pad: Pair, pooled: Array) -> bool:
    """Whether there is one window, and it is the image."""
    return image.shape[-2:] == tuple(kernel) and pooled.shape[-2:] == (1, 1) and tuple(pad) == (0, 0)


def _three(kernel: Pair, stride: Pair, pad: Pair) -> bool:
    """Whether the windows are of those that depthwise3.py sums in registers."""
    return tuple(kernel) == (3, 3) and tuple(stride) in ((1, 1), (2, 2)) and max(pad) <= 2


def _correct(pooled: Array, image: Pair, stride: Pair, pad: Pair, copy: bool = False) -> Array:
    """Where a window has fewer than 3x3 places, divide by their number instead of 9; in place or, where there is such a window
    and ``copy`` asks for it, in a copy."""
    for axis in (0, 1):
        start = np.arange(pooled.shape[axis + 1]) * stride[axis] - pad[axis]
        places = np.maximum(np.minimum(start + 3, image[axis] + pad[axis]) - start, 1)
        for i in np.flatnonzero(places != 3):
            pooled, copy = (pooled.copy(), False) if copy else (pooled, False)
            pooled[(slice(None),) * (axis + 1) + (i,)] *= np.float32(3 / places[i])
    return pooled


def _planes(a: Array) -> Array:
    """(..., H, W) as (planes, H, W)."""
    return a.reshape(int(np.prod(a.shape[:-2])), *a.shape[-2:])
