"""Convolution (cross-correlation, as in every framework) of any number of spatial axes, with groups and dilation.

x is (N, C, *image), w (filters, C / group, *kernel), out and dy (N, filters, *out) with
out = (image + 2 * pad - (dilation * (kernel - 1) + 1)) // stride + 1 an axis. ``stride``, ``pad`` and ``dilation`` have one entry
a spatial axis. ``col`` is scratch of shape ``conv_scratch_shape(...)`` and of the same dtype; where it is smaller than the kernel
that runs needs, that kernel makes its own. A deconvolution is the same three passes with the roles of x and y exchanged.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels import choice, conv_blocks
from netdef.kernels.conv_blocks import Sizes, Steps
from netdef.kernels.reference.activation import relu_forward
from netdef.kernels.reference.im2col import col2im, im2col
from netdef.kernels.reference.linear import bias_grad

Array = np.ndarray


def conv_scratch_shape(x_shape: Sizes, w_shape: Sizes, stride: Sizes, pad: Sizes, dilation: Sizes, group: int) -> Sizes:
    """Shape of the scratch array ``col`` for a convolution of ``x_shape`` by ``w_shape``; a smaller batch may use it too."""
    return choice.scratch_shape(x_shape, w_shape, stride, pad, dilation, group)


def conv_forward(x: Array, w: Array, bias: Array | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int, col: Array,
                 out: Array, slope: float | None = None) -> None:
    """out = convolution of x by w, plus bias (filters,) where given, through a leaky ReLU unless ``slope`` is None."""
    conv_blocks.forward(STEPS, x, w, bias, stride, pad, dilation, group, col, out)
    activate(out, slope)


def activate(y: Array, slope: float | None) -> None:
    """A ReLU with this negative slope, in place; None: nothing."""
    if slope is not None:
        relu_forward(y, slope, y)


def conv_backward_data(dy: Array, w: Array, stride: Sizes, pad: Sizes, dilation: Sizes, group: int, col: Array,
                       dx: Array) -> None:
    """dx = the gradient by x; overwrites."""
    conv_blocks.backward_data(STEPS, dy, w, stride, pad, dilation, group, col, dx)


def conv_backward_weights(x: Array, dy: Array, stride: Sizes, pad: Sizes, dilation: Sizes, group: int, col: Array,
                          dw: Array) -> None:
    """dw += the gradient by w."""
    conv_blocks.backward_weights(STEPS, x, dy, stride, pad, dilation, group, col, dw)


def conv_bias_grad(dy: Array, db: Array) -> None:
    """db += the sum of dy over images and places; dy is (N, filters, *out), db (filters,)."""
    bias_grad(dy.reshape(dy.shape[0], db.size, int(np.prod(dy.shape[2:]))), db)


def stage(x: Array, out: Array) -> None:
    """out[c, n, i] = x[n, c, i]."""
    out[...] = x.swapaxes(0, 1)


def unstage(x: Array, bias: Array | None, out: Array) -> None:
    """out[n, c, i] = x[c, n, i] + bias[c]."""
    if bias is None:
        out[...] = x.swapaxes(0, 1)
    else:
        np.add(x.swapaxes(0, 1), bias[:, None], out=out)


STEPS = Steps(im2col, col2im, stage, unstage)
