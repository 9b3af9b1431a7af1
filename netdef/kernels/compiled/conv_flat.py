"""Convolution with stride 1 and small weights, without columns: every tap is one long row, shifted.

In a padded image stored flat, with rows of ``pitch`` elements, the inputs that tap (i, j) of channel c gives to all outputs of a
plane lie from offset (c * height + i) * pitch + j on, in the order of *wide* outputs: rows of ``pitch`` elements whose last ones
mean nothing. So a convolution is a sum of long shifted rows, times a weight each, and reads the image in place. Four taps times
four rows at once keep the multiply-add units busy (16 of them for 12 moves of memory).

Against im2col and BLAS on two cores, 5x5 windows, batch 64: twice as fast, and BLAS's threads do not have to be woken.
"""
from __future__ import annotations

import math

import numpy as np

from netdef.kernels.conv_blocks import Geometry
from netdef.kernels.jit import kernel, prange

Array = np.ndarray

LEAST_IMAGES = 4  # threads share the images
MOST_WEIGHTS = 1 << 16  # 256 KB: they are read once an image, from the second-level cache
MOST_INPUTS = 1 << 16  # of one padded image; likewise
CHUNK = 16  # images a sum of weight gradients goes over at once


def suits(g: Geometry) -> bool:
    """Whether this convolution is one for these kernels."""
    if len(g.kernel) != 2 or g.group != 1 or g.stride != (1, 1) or g.images < LEAST_IMAGES or g.area == 0:
        return False
    height, pitch = _padded(g)
    return g.filters * g.rows <= MOST_WEIGHTS and g.channels * height * pitch <= MOST_INPUTS and pitch <= 2 * g.out[1]


def forward(g: Geometry, x: Array, w: Array, bias: Array | None, out: Array) -> None:
    """out = convolution of x by w, plus bias; shapes as in the reference."""
    if bias is None:
        bias = np.zeros(g.filters, np.float32)
    _forward(x, w.reshape(g.filters, g.rows), bias, _offsets(g), *_padded(g), *g.pad, out)


def backward_data(g: Geometry, dy: Array, w: Array, dx: Array) -> None:
    """dx = gradient by the input."""
    by_tap = np.ascontiguousarray(w.reshape(g.filters, g.channels, -1).transpose(2, 1, 0))
    _backward_data(dy, by_tap, _offsets(g), *_padded(g), *g.pad, dx)


def backward_weights(g: Geometry, x: Array, dy: Array, scratch: Array, dw: Array) -> None:
    """dw += gradient by the weights; ``scratch`` is used where it is large enough."""
    pitch = _padded(g)[1]
    shape = (g.filters, g.images, g.out[0], pitch)
    size = math.prod(shape)
    wide = (scratch.reshape(-1)[:size] if scratch.size >= size else np.empty(size, np.float32)).reshape(shape)
    _widen(dy, wide)
    _backward_weights(x, wide.reshape(g.filters, -1), g.images, *g.out, pitch, *g.pad, *g.dilation, dw)


def _padded(g: Geometry) -> tuple[int, int]:
    """Height and pitch of the padded image."""
    return g.image[0] + 2 * g.pad[0], g.image[1] + 2 * g.pad[1]


def _offsets(g: Geometry) -> Array:
    """Where the row of each tap (c, i, j) begins in the flat padded image."""
    height, pitch = _padded(g)
    c, i, j = np.meshgrid(*map(np.arange, (g.channels, *g.kernel)), indexing="ij")
    return ((c * height + i * g.dilation[0]) * pitch + j * g.dilation[1]).reshape(-1).astype(np.int64)


@kernel("f[4] f[2] f[1] i[1] i i i i f![4]", fastmath=True)
def _forward(x, w, bias, offsets, height, pitch, pad_h, pad_w, out):
    images, filters, out_h, out_w = out.shape
    length = (out_h - 1) * pitch + out_w
    taps = offsets.size
    for n in prange(images):
        image = np.zeros(x.shape[1] * height * pitch, np.float32)
        for c in range(x.shape[1]):
            for h in range(x.shape[2]):
                at = (c * height + h + pad_h) * pitch + pad_w
                for v in range(x.shape[3]):
                    image[at + v] = x[n, c, h, v]
        y = np.empty((4, length), np.float32)
        for first in range(0, filters, 4):
            k0, k1, k2, k3 = first, min(first + 1, filters - 1), min(first + 2, filters - 1), min(first + 3, filters - 1)
            y0, y1, y2, y3 = y[0], y[1], y[2], y[3]
            y0[:] = bias[k0]
            y1[:] = bias[k1]
            y2[:] = bias[k2]
            y3[:] = bias[k3]
            whole = taps - taps % 4
            for t in range(0, whole, 4):
                xa, xb, xc, xd = image[offsets[t]:], image[offsets[t + 1]:], image[offsets[t + 2]:], image[offsets[t + 3]:]
                a0, b0, c0, d0 = w[k0, t], w[k0, t + 1], w[k0, t + 2], w[k0, t + 3]
                a1, b1, c1, d1 = w[k1, t], w[k1, t + 1], w[k1, t + 2], w[k1, t + 3]
                a2, b2, c2, d2 = w[k2, t], w[k2, t + 1], w[k2, t + 2], w[k2, t + 3]
                a3, b3, c3, d3 = w[k3, t], w[k3, t + 1], w[k3, t + 2], w[k3, t + 3]
                for p in range(length):
                    a, b, c_, d = xa[p], xb[p], xc[p], xd[p]
                    y0[p] += a0 * a + b0 * b + c0 * c_ + d0 * d
                    y1[p] += a1 * a + b1 * b + c1 * c_ + d1 * d
                    y2[p] += a2 * a + b2 * b + c2 * c_ + d2 * d
                    y3[p] += a3 * a + b3 * b + c3 * c_ + d3 * d
            for t in range(whole, taps):
                xa = image[offsets[t]:]
                a0, a1, a2, a3 = w[k0, t], w[k1, t], w[k2, t], w[k3, t]
                for p in range(length):
                    y0[p] += a0 * xa[p]
                    y1[p] += a1 * xa[p]
                    y2[p] += a2 * xa[p]
                    y3[p] += a3 * xa[p]
            for k in range(min(4, filters - first)):
                for oh in range(out_h):
                    for ow in range(out_w):
                        out[n, first + k, oh, ow] = y[k, oh * pitch + ow]


@kernel("f[4] f[3] i[1] i i i i f![4]", fastmath=True)
def _backward_data(dy, w, offsets, height, pitch, pad_h, pad_w, dx):
    images, filters, out_h, out_w = dy.shape
    channels = dx.shape[1]
    taps = w.shape[0]
    length = (out_h - 1) * pitch + out_w
    padded = -(-filters // 4) * 4  # rows of zeros make whole fours of the filters
    for n in prange(images):
        wide = np.zeros((padded, length), np.float32)
        for k in range(filters):
            for oh in range(out_h):
                for ow in range(out_w):
                    wide[k, oh * pitch + ow] = dy[n, k, oh, ow]
        image = np.zeros(channels * height * pitch, np.float32)
        for t in range(taps):
            for c in range(0, channels, 4):
                c0, c1, c2, c3 = c, min(c + 1, channels - 1), min(c + 2, channels - 1), min(c + 3, channels - 1)
                plane = height * pitch
                x0, x1 = image[c0 * plane + offsets[t]:], image[c1 * plane + offsets[t]:]
                x2, x3 = image[c2 * plane + offsets[t]:], image[c3 * plane + offsets[t]:]
                for k in range(0, filters, 4):
                    wa, wb, wc, wd = wide[k], wide[k + 1], wide[k + 2], wide[k + 3]
                    kb, kc, kd = min(k + 1, filters - 1), min(k + 2, filters - 1), min(k + 3, filters - 1)
                    a0, b0, c_0, d0 = w[t, c0, k], w[t, c0, kb], w[t, c0, kc], w[t, c0, kd]
                    if c + 4 <= channels:
                        a1, b1, c_1, d1 = w[t, c1, k], w[t, c1, kb], w[t, c1, kc], w[t, c1, kd]
                        a2, b2, c_2, d2 = w[t, c2, k], w[t, c2, kb], w[t, c2, kc], w[t, c2, kd]
                        a3, b3, c_3, d3 = w[t, c3, k], w[t, c3, kb], w[t, c3, kc], w[t, c3, kd]
                        for p in range(length):
                            a, b, c_, d = wa[p], wb[p], wc[p], wd[p]
                            x0[p] += a0 * a + b0 * b + c_0 * c_ + d0 * d
                            x1[p] += a1 * a + b1 * b + c_1 * c_ + d1 * d
                            x2[p] += a2 * a + b2 * b + c_2 * c_ + d2 * d
                            x3[p] += a3 * a + b3 * b + c_3 * c_ + d3 * d
                    else:
                        for rest in range(c, channels):
                            xr = image[rest * plane + offsets[t]:]
                            a0, b0, c_0, d0 = w[t, rest, k], w[t, rest, kb], w[t, rest, kc], w[t, rest, kd]
                            for p in range(length):
                                xr[p] += a0 * wa[p] + b0 * wb[p] + c_0 * wc[p] + d0 * wd[p]
        for c in range(channels):
            for h in range(dx.shape[2]):
                at = (c * height + h + pad_h) * pitch + pad_w
                for v in range(dx.shape[3]):
                    dx[n, c, h, v] = image[at + v]


@kernel("f[4] f![4]")
def _widen(dy, wide):
    filters, images, out_h, pitch = wide.shape
    out_w = dy.shape[3]
    for k in prange(filters):
        for n in range(images):
            for oh in range(out_h):
                for ow in range(out_w):
                    wide[k, n, oh, ow] = dy[n, k, oh, ow]
                for ow in range(out_w, pitch):
                    wide[k, n, oh, ow] = 0


@kernel("f[4] f[2] i i i i i i i i f![4]", fastmath=True)
def _backward_weights(x, wide, images, out_h, out_w, pitch, pad_h, pad_w, step_h, step_w, dw):
    filters, channels, kernel_h, kernel_w = dw.shape
    area = out_h * pitch
    for task in prange(channels * kernel_h):  # a task owns dw[:, c, i, :]: no sum is shared between threads
        c = task // kernel_h
        i = task % kernel_h
        rows = np.zeros(CHUNK * area + (kernel_w - 1) * step_w, np.float32)  # the input rows under window row i
        for begin in range(0, images, CHUNK):
            count = min(CHUNK, images - begin)
            length = count * area
            for n in range(count):
                for oh in range(out_h):
                    h = oh + i * step_h - pad_h
                    at = n * area + oh * pitch + pad_w
                    if 0 <= h < x.shape[2]:
                        for v in range(x.shape[3]):
                            rows[at + v] = x[begin + n, c, h, v]
                    else:
                        for v in range(x.shape[3]):
                            rows[at + v] = 0
            for first in range(0, filters, 4):
                k1, k2, k3 = min(first + 1, filters - 1), min(first + 2, filters - 1), min(first + 3, filters - 1)
                y0 = wide[first, begin * area:]
                y1, y2, y3 = wide[k1, begin * area:], wide[k2, begin * area:], wide[k3, begin * area:]
                for j in range(kernel_w):
                    s = rows[j * step_w:]
                    t0 = t1 = t2 = t3 = np.float32(0)
                    for p in range(length):
                        v = s[p]
                        t0 += y0[p] * v
                        t1 += y1[p] * v
                        t2 += y2[p] * v
                        t3 += y3[p] * v
                    dw[first, c, i, j] += t0
                    if first + 1 < filters:
                        dw[first + 1, c, i, j] += t1
                    if first + 2 < filters:
                        dw[first + 2, c, i, j] += t2
                    if first + 3 < filters:
                        dw[first + 3, c, i, j] += t3
