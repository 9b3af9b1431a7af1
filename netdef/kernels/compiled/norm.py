"""BatchNorm, Scale and ReLU in two sweeps of memory forward and two backward; see the reference.

A row stays in the cache while it is worked on. Every value is rounded where the kernels of the three layers round it, and
the sums are theirs, so the bits are theirs too.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled.scaling import NONE_1
from netdef.kernels.compiled.standardize import row_squares, row_sum, row_sums
from netdef.kernels.jit import helper, kernel, prange

Array = np.ndarray


@helper
def _read(kept, scaled, times, shifted, plus):
    """What the ReLU read, made once more: that takes less time than getting what it made from memory."""
    v = kept * times if scaled else kept
    return v + plus if shifted else v


@helper
def _finished(v, scaled, times, shifted, plus, relu, flat, slope):
    """relu(v * times + plus), each part only where wanted."""
    v = _read(v, scaled, times, shifted, plus)
    low = np.float32(0) if flat else slope * v
    return low if relu and v <= 0 else v


@helper
def _passed(dy, y, relu, flat, slope):
    """What the ReLU lets through of dy; y is what it read, or what it made of that if the slope is negative."""
    low = np.float32(0) if flat else slope * dy
    return dy if y > 0 or not relu else low


@kernel("f[3] d f[1] f[1] i f d![1] d![1] f![1] f![3] f![3]")
def _norm(x, eps, scale, bias, relu, slope, mean, var, divisor, kept, out):
    outer, channels, inner = x.shape
    count = max(outer * inner, 1)
    flat, wants = slope == 0, relu != 0
    scaled, shifted = scale.size > 0, bias.size > 0
    for c in prange(channels):
        total = 0.0
        for o in range(outer):
            total += row_sum(x, o, c)
        mean[c] = total / count
        centre = np.float32(mean[c])
        squares = 0.0
        for o in range(outer):
            squares += row_squares(x, o, c, centre)
        var[c] = squares / count
        by = np.sqrt(var[c] + eps)
        divisor[c] = by
        factor = np.float32(1 / by)
        times = scale[c] if scaled else np.float32(1)
        plus = bias[c] if shifted else np.float32(0)
        for o in range(outer):
            for i in range(inner):
                v = (x[o, c, i] - centre) * factor
                kept[o, c, i] = v
                out[o, c, i] = _finished(v, scaled, times, shifted, plus, wants, flat, slope)


@kernel("f[3] f[3] f[3] f[1] f[1] f[1] i f f![1] f![1] f![3]")
def _norm_gradient(dy, y, kept, divisor, scale, bias, relu, slope, dscale, dbias, dx):
    outer, channels, inner = dy.shape
    count = max(outer * inner, 1)
    flat, wants, anew = slope == 0, relu != 0, slope >= 0
    scaled, shifted = scale.size > 0, bias.size > 0
    for c in prange(channels):
        rows = np.empty((2, 1, inner), np.float32)  # what the ReLU passes, and that times the scale
        times = scale[c] if scaled else np.float32(1)
        plus = bias[c] if shifted else np.float32(0)
        for_scale, for_bias, total, along = 0.0, 0.0, 0.0, 0.0
        for o in range(outer):
            for i in range(inner):
                read = _read(kept[o, c, i], scaled, times, shifted, plus) if anew else y[o, c, i]
                v = _passed(dy[o, c, i], read, wants, flat, slope)
                rows[0, 0, i] = v
                rows[1, 0, i] = v * times
            if dscale.size or dbias.size:
                sums = row_sums(rows, 0, 0, kept, o, c)
                for_bias += sums[0]
                for_scale += sums[1]
            sums = row_sums(rows, 1, 0, kept, o, c)
            total += sums[0]
            along += sums[1]
        if dscale.size:
            dscale[c] += np.float32(for_scale)
        if dbias.size:
            dbias[c] += np.float32(for_bias)
        shift = np.float32(total / count)
        lean = np.float32(along / count)
        factor = np.float32(1) / divisor[c]
        for o in range(outer):
            for i in range(inner):
                read = _read(kept[o, c, i], scaled, times, shifted, plus) if anew else y[o, c, i]
                v = _passed(dy[o, c, i], read, wants, flat, slope) * times
                dx[o, c, i] = (v - shift - kept[o, c, i] * lean) * factor


@kernel("f[3] d[1] f[1] f[1] f[1] i f f![3]")
def _stored(x, mean, divisor, scale, bias, relu, slope, out):
    outer, channels, inner = x.shape
    flat, wants = slope == 0, relu != 0
    scaled, shifted = scale.size > 0, bias.size > 0
    for row in prange(outer * channels):
        o = row // channels
        c = row % channels
        centre = np.float32(mean[c])
        factor = np.float32(1) / divisor[c]
        times = scale[c] if scaled else np.float32(1)
        plus = bias[c] if shifted else np.float32(0)
        for i in range(inner):
            out[o, c, i] = _finished((x[o, c, i] - centre) * factor, scaled, times, shifted, plus, wants, flat, slope)


def norm_forward(x: Array, eps: float, scale: Array | None, bias: Array | None, slope: float | None, buffer: Array,
                 mean: Array, var: Array, divisor: Array, kept: Array, out: Array) -> None:
    """See the reference."""
    _norm(x, eps, _given(scale), _given(bias), slope is not None, slope or 0.0, mean, var, divisor, kept, out)


def norm_backward(dy: Array, y: Array, kept: Array, divisor: Array, scale: Array | None, bias: Array | None,
                  slope: float | None, buffer: Array, dscale: Array | None, dbias: Array | None, dx: Array) -> None:
    """See the reference."""
    _norm_gradient(dy, y, kept, divisor, _given(scale), _given(bias), slope is not None, slope or 0.0, _given(dscale),
                   _given(dbias), dx)


def norm_stored(x: Array, mean: Array, divisor: Array, scale: Array | None, bias: Array | None, slope: float | None,
                out: Array) -> None:
    """See the reference."""
    _stored(x, mean, divisor, _given(scale), _given(bias), slope is not None, slope or 0.0, out)


def _given(a: Array | None) -> Array:
    return NONE_1 if a is None else a
