"""Factors, offsets and slopes by channel. Gradients take the channels in parallel and each row of values once, so that its
second reading finds it in the cache. Rules and shapes: see the reference.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled.standardize import row_sums
from netdef.kernels.jit import kernel, prange

Array = np.ndarray

NONE_3 = np.empty((0, 0, 0), np.float32)  # for an output that is not wanted
NONE_1 = np.empty(0, np.float32)


@kernel("f[3] f[1] f[1] f![3] f![3]")
def _scale(x, scale, bias, kept, out):
    outer, channels, inner = x.shape
    for row in prange(outer * channels):
        o = row // channels
        c = row % channels
        if kept.size:
            for i in range(inner):
                kept[o, c, i] = x[o, c, i]
        if bias.size:
            for i in range(inner):
                out[o, c, i] = x[o, c, i] * scale[c] + bias[c]
        else:
            for i in range(inner):
                out[o, c, i] = x[o, c, i] * scale[c]


@kernel("f[3] f[3] f[1] f![1] f![1] f![3]")
def _scale_gradient(x, dy, scale, dscale, dbias, dx):
    outer, channels, inner = dy.shape
    for c in prange(channels):
        along, total = 0.0, 0.0
        for o in range(outer):
            if dscale.size:
                sums = row_sums(dy, o, c, x, o, c)
                total += sums[0]
                along += sums[1]
            elif dbias.size:  # x may not be there
                total += row_sums(dy, o, c, dy, o, c)[0]
            if dx.size:
                for i in range(inner):
                    dx[o, c, i] = dy[o, c, i] * scale[c]
        if dscale.size:
            dscale[c] += np.float32(along)
        if dbias.size:
            dbias[c] += np.float32(total)


@kernel("f[3] f[1] f![3]")
def _shift(x, bias, out):
    outer, channels, inner = x.shape
    for row in prange(outer * channels):
        o = row // channels
        c = row % channels
        for i in range(inner):
            out[o, c, i] = x[o, c, i] + bias[c]


@kernel("f[3] f[1] f![3] f![3]")
def _prelu(x, slope, kept, out):
    outer, channels, inner = x.shape
    for row in prange(outer * channels):
        o = row // channels
        c = row % channels
        if kept.size:
            for i in range(inner):
                kept[o, c, i] = x[o, c, i]
        for i in range(inner):
            v = x[o, c, i]
            low = slope[c] * v
            out[o, c, i] = v if v > 0 else low


@kernel("f[3] f[3] f[1] f![1] f![3]", fastmath=True)
def _prelu_gradient(x, dy, slope, dslope, dx):
    outer, channels, inner = dy.shape
    for c in prange(channels):
        along = 0.0
        for o in range(outer):
            if dslope.size:
                for i in range(inner):
                    v = x[o, c, i]
                    along += dy[o, c, i] * (np.float32(0) if v > 0 else v)
            if dx.size:
                for i in range(inner):
                    low = slope[c] * dy[o, c, i]
                    dx[o, c, i] = dy[o, c, i] if x[o, c, i] > 0 else low
        if dslope.size:
            dslope[c] += np.float32(along)


def scale_forward(x: Array, scale: Array, bias: Array | None, kept: Array | None, out: Array) -> None:
    """See the reference."""
    _scale(x, scale, NONE_1 if bias is None else bias, NONE_3 if kept is None else kept, out)


def scale_backward(x: Array, dy: Array, scale: Array, buffer: Array, dscale: Array | None, dbias: Array | None,
                   dx: Array | None) -> None:
    """See the reference."""
    _scale_gradient(x, dy, scale, NONE_1 if dscale is None else dscale, NONE_1 if dbias is None else dbias,
                    NONE_3 if dx is None else dx)


def bias_forward(x: Array, bias: Array, out: Array) -> None:
    """See the reference."""
    _shift(x, bias, out)


def prelu_forward(x: Array, slope: Array, kept: Array | None, buffer: Array, out: Array) -> None:
    """See the reference."""
    _prelu(x, slope, NONE_3 if kept is None else kept, out)


def prelu_backward(x: Array, dy: Array, slope: Array, buffer: Array, dslope: Array | None, dx: Array | None) -> None:
    """See the reference."""
    _prelu_gradient(x, dy, slope, NONE_1 if dslope is None else dslope, NONE_3 if dx is None else dx)
