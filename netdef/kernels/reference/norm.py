"""BatchNorm, Scale and ReLU behind one another, as one kernel: the three layers' own kernels, called in turn.

Values are (outer, channels, inner); mean and var (channels,) in float64, divisor, scale and bias (channels,). ``scale`` and
``bias`` None: there are none. ``slope`` is the ReLU's; None: there is no ReLU. The kernels called here pick their twins by
themselves, so that a fused step has the bits of its layers run one by one, whatever the size.
"""
from __future__ import annotations

import numpy as np

from netdef import kernels as K

Array = np.ndarray


def norm_forward(x: Array, eps: float, scale: Array | None, bias: Array | None, slope: float | None, buffer: Array,
                 mean: Array, var: Array, divisor: Array, kept: Array, out: Array) -> None:
    """kept = (x - mean) / sqrt(var + eps), out = relu(kept * scale + bias); out may be x, kept may not.

    mean, var and divisor are those of x, as in ``standardize``; ``buffer`` (x's shape) is worthless afterwards.
    """
    K.standardize(x, eps, False, buffer, mean, var, divisor, kept)
    _finish(kept, scale, bias, slope, out)


def norm_backward(dy: Array, y: Array, kept: Array, divisor: Array, scale: Array | None, bias: Array | None,
                  slope: float | None, buffer: Array, dscale: Array | None, dbias: Array | None, dx: Array) -> None:
    """The gradient of ``norm_forward``, which made ``y``, ``kept`` and ``divisor`` by this scale and bias; dx may be dy.

    dscale and dbias are added to; None: not wanted.
    """
    if slope is not None:
        K.relu_backward(y, dy, slope, dx)
        dy = dx
    if scale is not None:
        K.scale_backward(kept, dy, scale, buffer, dscale, dbias, dx)
        dy = dx
    K.standardize_backward(dy, kept, divisor, None, buffer, dx)


def norm_stored(x: Array, mean: Array, divisor: Array, scale: Array | None, bias: Array | None, slope: float | None,
                out: Array) -> None:
    """out = relu((x - mean) / divisor * scale + bias); out may be x."""
    K.shift_divide(x, mean, divisor, out)
    _finish(out, scale, bias, slope, out)


def _finish(x: Array, scale: Array | None, bias: Array | None, slope: float | None, out: Array) -> None:
    if scale is not None:
        K.scale_forward(x, scale, bias, None, out)
    elif x is not out:
        np.copyto(out, x)
    if slope is not None:
        K.relu_forward(out, slope, out)
