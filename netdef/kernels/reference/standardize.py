"""Mean 0 and variance 1 in each group of an array (outer, groups, inner): the arithmetic of BatchNorm, MVN, LayerNorm
and GroupNorm. A group's values are those over the outer and the inner axis.

``mean`` and ``var`` are (groups,) and float64 whatever the dtype of the values; variances are biased (divided by the
number of values). ``buffer`` has the shape of the values and is worthless afterwards. Groups without values have mean
and variance 0.
"""
from __future__ import annotations

import numpy as np

Array = np.ndarray


def standardize(x: Array, eps: float, eps_after_root: bool, buffer: Array, mean: Array, var: Array, divisor: Array,
                out: Array, again: Array | None = None) -> None:
    """out = (x - mean) / divisor with divisor = sqrt(var + eps), or sqrt(var) + eps with ``eps_after_root``.

    x and out are (outer, groups, inner) and may be one array; divisor (groups,). ``again``, where given, gets the values
    of out too, and may be x. The variance is taken from the centred values, and not from a difference of large sums.
    """
    mean[...] = group_mean(x)
    np.subtract(x, mean.astype(x.dtype)[:, None], out=out)
    np.square(out, out=buffer)
    var[...] = group_mean(buffer)
    divisor[...] = np.sqrt(var) + eps if eps_after_root else np.sqrt(var + eps)
    np.divide(out, divisor[:, None], out=out)
    if again is not None:
        np.copyto(again, out)


def shift_divide(x: Array, mean: Array, divisor: Array, out: Array) -> None:
    """out = (x - mean) / divisor with values of each group; mean and divisor are (groups,); out may be x."""
    np.subtract(x, mean.astype(x.dtype)[:, None], out=out)
    np.divide(out, divisor[:, None], out=out)


def standardize_backward(dy: Array, standardized: Array, divisor: Array, gain: Array | None, buffer: Array,
                         dx: Array) -> None:
    """dx = (dy - mean(dy) - gain * standardized * mean(dy * standardized)) / divisor; dx may be dy.

    ``standardized`` is what ``standardize`` made. ``gain`` (groups,) is divisor / sqrt(var) where eps was added after
    the root, and None (1) where it was added under it.
    """
    along_mean = group_mean(dy)
    np.multiply(dy, standardized, out=buffer)
    along_values = group_mean(buffer)
    if gain is not None:
        along_values *= gain
    np.multiply(standardized, along_values.astype(dy.dtype)[:, None], out=buffer)
    np.subtract(dy, along_mean.astype(dy.dtype)[:, None], out=dx)
    np.subtract(dx, buffer, out=dx)
    np.divide(dx, divisor[:, None], out=dx)


def group_mean(values: Array) -> Array:
    """The mean of each group of (outer, groups, inner), in float64 (groups,); pairwise sums along the inner axis."""
    outer, _, inner = values.shape
    rows = values[:, :, 0] if inner == 1 else values.sum(axis=2)
    means: Array = rows.sum(axis=0, dtype=np.float64) / max(outer * inner, 1)
    return means
