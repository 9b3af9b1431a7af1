"""Mean 0 and variance 1 in each group: a group is read while it lies in the cache, and written once. See the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import kernel, prange, reducer

Array = np.ndarray


@reducer
def row_sum(x, o, g):
    """Sum of x[o, g]."""
    total = 0.0
    for i in range(x.shape[2]):
        total += x[o, g, i]
    return total


@reducer
def row_squares(x, o, g, centre):
    """Sum of (x[o, g] - centre) squared."""
    total = 0.0
    for i in range(x.shape[2]):
        off = np.float64(x[o, g, i] - centre)
        total += off * off
    return total


@reducer
def row_sums(a, o, g, b, p, h):
    """Sum of a[o, g], and sum of a[o, g] * b[p, h]."""
    total, along = 0.0, 0.0
    for i in range(a.shape[2]):
        v = a[o, g, i]
        total += v
        along += v * b[p, h, i]
    return total, along


@kernel("f[3] d i d![1] d![1] f![1] f![3] i f![3]")
def _standardize(x, eps, eps_after_root, mean, var, divisor, out, twice, again):
    outer, groups, inner = x.shape
    count = max(outer * inner, 1)
    for g in prange(groups):
        total = 0.0
        for o in range(outer):
            total += row_sum(x, o, g)
        mean[g] = total / count
        centre = np.float32(mean[g])
        squares = 0.0
        for o in range(outer):
            squares += row_squares(x, o, g, centre)
        var[g] = squares / count
        by = np.sqrt(var[g]) + eps if eps_after_root else np.sqrt(var[g] + eps)
        divisor[g] = by
        factor = np.float32(1 / by)
        for o in range(outer):
            for i in range(inner):
                out[o, g, i] = (x[o, g, i] - centre) * factor
            if twice:
                for i in range(inner):
                    again[o, g, i] = out[o, g, i]


@kernel("f[3] f[3] f[1] f[1] f![3]")
def _standardize_gradient(dy, standardized, divisor, gain, dx):
    outer, groups, inner = dy.shape
    count = max(outer * inner, 1)
    for g in prange(groups):
        total, along = 0.0, 0.0
        for o in range(outer):
            sums = row_sums(dy, o, g, standardized, o, g)
            total += sums[0]
            along += sums[1]
        shift = np.float32(total / count)
        slope = np.float32(along / count * gain[g])
        factor = np.float32(1) / divisor[g]
        for o in range(outer):
            for i in range(inner):
                dx[o, g, i] = (dy[o, g, i] - shift - standardized[o, g, i] * slope) * factor


@kernel("f[3] d[1] f[1] f![3]")
def _shift_divide(x, mean, divisor, out):
    outer, groups, inner = x.shape
    for row in prange(outer * groups):
        o = row // groups
        g = row % groups
        centre = np.float32(mean[g])
        factor = np.float32(1) / divisor[g]
        for i in range(inner):
            out[o, g, i] = (x[o, g, i] - centre) * factor


def standardize(x: Array, eps: float, eps_after_root: bool, buffer: Array, mean: Array, var: Array, divisor: Array,
                out: Array, again: Array | None = None) -> None:
    """See the reference."""
    _standardize(x, eps, eps_after_root, mean, var, divisor, out, again is not None, out if again is None else again)


def standardize_backward(dy: Array, standardized: Array, divisor: Array, gain: Array | None, buffer: Array,
                         dx: Array) -> None:
    """See the reference."""
    _standardize_gradient(dy, standardized, divisor, np.ones_like(divisor) if gain is None else gain, dx)


def shift_divide(x: Array, mean: Array, divisor: Array, out: Array) -> None:
    """See the reference."""
    _shift_divide(x, mean, divisor, out)
