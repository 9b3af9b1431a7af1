"""Max and average pooling, planes in parallel. Rules and shapes: see the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import kernel, prange
from netdef.kernels.reference.pooling import LOWEST as _LOWEST

Array = np.ndarray
Pair = tuple[int, int]

LOWEST = np.float32(_LOWEST)


@kernel("f[3] i i i i i i f![3] j![3]")
def _max_pool(x, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, out, mask):
    planes, height, width = x.shape
    for p in prange(planes):
        for oh in range(out.shape[1]):
            top = max(oh * stride_h - pad_h, 0)
            bottom = min(oh * stride_h - pad_h + kernel_h, height)
            for ow in range(out.shape[2]):
                left = max(ow * stride_w - pad_w, 0)
                right = min(ow * stride_w - pad_w + kernel_w, width)
                best = LOWEST
                at = -1
                for h in range(top, bottom):
                    for w in range(left, right):
                        v = x[p, h, w]
                        better = v > best
                        best = v if better else best
                        at = h * width + w if better else at
                out[p, oh, ow] = best
                mask[p, oh, ow] = at


@kernel("f[2] j[2] f![2]")
def _max_pool_gradient(dy, mask, dx):
    for p in prange(dx.shape[0]):
        for i in range(dx.shape[1]):
            dx[p, i] = 0
        for i in range(dy.shape[1]):
            at = mask[p, i]
            if at >= 0:
                dx[p, at] += dy[p, i]


@kernel("f[3] i i i i i i f![3]")
def _ave_pool(x, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, out):
    planes, height, width = x.shape
    for p in prange(planes):
        for oh in range(out.shape[1]):
            top = oh * stride_h - pad_h
            bottom = min(top + kernel_h, height + pad_h)
            for ow in range(out.shape[2]):
                left = ow * stride_w - pad_w
                right = min(left + kernel_w, width + pad_w)
                divisor = max(bottom - top, 1) * max(right - left, 1)
                total = np.float32(0)
                for h in range(max(top, 0), min(bottom, height)):
                    for w in range(max(left, 0), min(right, width)):
                        total += x[p, h, w]
                out[p, oh, ow] = total / np.float32(divisor)


@kernel("f[3] i i i i i i f![3]")
def _ave_pool_gradient(dy, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dx):
    planes, height, width = dx.shape
    for p in prange(planes):
        for h in range(height):
            for w in range(width):
                dx[p, h, w] = 0
        for oh in range(dy.shape[1]):
            top = oh * stride_h - pad_h
            bottom = min(top + kernel_h, height + pad_h)
            for ow in range(dy.shape[2]):
                left = ow * stride_w - pad_w
                right = min(left + kernel_w, width + pad_w)
                divisor = max(bottom - top, 1) * max(right - left, 1)
                share = dy[p, oh, ow] / np.float32(divisor)
                for h in range(max(top, 0), min(bottom, height)):
                    for w in range(max(left, 0), min(right, width)):
                        dx[p, h, w] += share


def max_pool_forward(x: Array, kernel: Pair, stride: Pair, pad: Pair, out: Array, mask: Array) -> None:
    """See the reference."""
    _max_pool(_planes(x), *kernel, *stride, *pad, _planes(out), _planes(mask))


def max_pool_backward(dy: Array, mask: Array, dx: Array) -> None:
    """See the reference."""
    planes = int(np.prod(dx.shape[:-2]))
    _max_pool_gradient(*(a.reshape(planes, a.shape[-2] * a.shape[-1]) for a in (dy, mask, dx)))


def ave_pool_forward(x: Array, kernel: Pair, stride: Pair, pad: Pair, out: Array) -> None:
    """See the reference."""
    _ave_pool(_planes(x), *kernel, *stride, *pad, _planes(out))


def ave_pool_backward(dy: Array, kernel: Pair, stride: Pair, pad: Pair, dx: Array) -> None:
    """See the reference."""
    _ave_pool_gradient(_planes(dy), *kernel, *stride, *pad, _planes(dx))


def _planes(a: Array) -> Array:
    """(..., H, W) as (planes, H, W)."""
    return a.reshape(int(np.prod(a.shape[:-2])), *a.shape[-2:])
