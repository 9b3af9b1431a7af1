"""Convolution: by shifted rows where the weights are small (``conv_flat.py``), else by blocks.

Blocks move memory with compiled kernels; their products are NumPy's BLAS.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels import conv_blocks
from netdef.kernels.compiled import conv_flat
from netdef.kernels.compiled.im2col import col2im, im2col
from netdef.kernels.compiled.linear import bias_grad
from netdef.kernels.conv_blocks import Sizes, Steps
from netdef.kernels.jit import kernel, prange

Array = np.ndarray


@kernel("f[3] f![3]")
def _stage(x, out):
    for c in prange(out.shape[0]):
        for n in range(out.shape[1]):
            for i in range(out.shape[2]):
                out[c, n, i] = x[n, c, i]


@kernel("f[3] f[1] f![3]")
def _unstage(x, bias, out):
    for n in prange(out.shape[0]):
        for c in range(out.shape[1]):
            b = bias[c]
            for i in range(out.shape[2]):
                out[n, c, i] = x[c, n, i] + b


def _unstage_or_zero(x: Array, bias: Array | None, out: Array) -> None:
    _unstage(x, np.zeros(out.shape[1], np.float32) if bias is None else bias, out)


STEPS = Steps(im2col, col2im, _stage, _unstage_or_zero)


def conv_forward(x: Array, w: Array, bias: Array | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int, col: Array,
                 out: Array) -> None:
    """See the reference."""
    g = conv_blocks.geometry(x.shape, w.shape, tuple(stride), tuple(pad), tuple(dilation), group)
    if conv_flat.suits(g):
        conv_flat.forward(g, x, w, bias, out)
    else:
        conv_blocks.forward(STEPS, x, w, bias, stride, pad, dilation, group, col, out)


def conv_backward_data(dy: Array, w: Array, stride: Sizes, pad: Sizes, dilation: Sizes, group: int, col: Array,
                       dx: Array) -> None:
    """See the reference."""
    g = conv_blocks.geometry(dx.shape, w.shape, tuple(stride), tuple(pad), tuple(dilation), group)
    if conv_flat.suits(g):
        conv_flat.backward_data(g, dy, w, dx)
    else:
        conv_blocks.backward_data(STEPS, dy, w, stride, pad, dilation, group, col, dx)


def conv_backward_weights(x: Array, dy: Array, stride: Sizes, pad: Sizes, dilation: Sizes, group: int, col: Array,
                          dw: Array) -> None:
    """See the reference."""
    g = conv_blocks.geometry(x.shape, dw.shape, tuple(stride), tuple(pad), tuple(dilation), group)
    if conv_flat.suits(g):
        conv_flat.backward_weights(g, x, dy, col, dw)
    else:
        conv_blocks.backward_weights(STEPS, x, dy, stride, pad, dilation, group, col, dw)


def conv_bias_grad(dy: Array, db: Array) -> None:
    """See the reference."""
    bias_grad(dy.reshape(dy.shape[0], db.size, int(np.prod(dy.shape[2:]))), db)
