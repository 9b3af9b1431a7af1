"""A factor and an offset for each channel of (outer, channels, inner), and a slope below zero; their gradients.

``scale``, ``bias`` and ``slope`` are (channels,). Gradients of these are summed in double precision and added to what is
there. ``buffer`` has the shape of the values and is worthless afterwards.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.reference.linear import bias_grad

Array = np.ndarray


def scale_forward(x: Array, scale: Array, bias: Array | None, kept: Array | None, out: Array) -> None:
    """out = scale * x + bias (None: 0); ``kept``, where given, gets x; out may be x."""
    if kept is not None:
        np.copyto(kept, x)
    np.multiply(x, scale[:, None], out=out)
    if bias is not None:
        np.add(out, bias[:, None], out=out)


def scale_backward(x: Array, dy: Array, scale: Array, buffer: Array, dscale: Array | None, dbias: Array | None,
                   dx: Array | None) -> None:
    """dscale += sum of dy * x, dbias += sum of dy, dx = scale * dy; one that is None is not made; dx may be dy.

    x is read only for dscale.
    """
    if dbias is not None:
        bias_grad(dy, dbias)
    if dscale is not None:
        np.multiply(dy, x, out=buffer)
        bias_grad(buffer, dscale)
    if dx is not None:
        np.multiply(dy, scale[:, None], out=dx)


def bias_forward(x: Array, bias: Array, out: Array) -> None:
    """out = x + bias; out may be x."""
    np.add(x, bias[:, None], out=out)


def prelu_forward(x: Array, slope: Array, kept: Array | None, buffer: Array, out: Array) -> None:
    """out = x where x > 0, else slope * x; NaN stays NaN; ``kept``, where given, gets x; out may be x."""
    if kept is not None:
        np.copyto(kept, x)
    np.minimum(x, 0, out=buffer)
    np.multiply(buffer, slope[:, None], out=buffer)
    np.maximum(x, 0, out=out)
    np.add(out, buffer, out=out)


def prelu_backward(x: Array, dy: Array, slope: Array, buffer: Array, dslope: Array | None, dx: Array | None) -> None:
    """dslope += sum of dy * min(x, 0), dx = dy where x > 0, else slope * dy; None is not made; dx may be dy."""
    if dslope is not None:
        np.minimum(x, 0, out=buffer)
        np.multiply(buffer, dy, out=buffer)
        bias_grad(buffer, dslope)
    if dx is not None:
        buffer[...] = slope[:, None]
        np.copyto(buffer, 1, where=x > 0)
        np.multiply(dy, buffer, out=dx)
