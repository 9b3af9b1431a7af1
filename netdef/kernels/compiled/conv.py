"""Convolution: each pass by the algorithm that ``choice.py`` names.

==============  ============================================================================================
winograd...     ``winograd.py``: 3x3 and 5x5 windows with stride 1 and enough channels
depthwise       ``depthwise.py``: a group for each channel
product         ``gemm.py``: the window covers the image, as in an inner product
pointwise       ``conv_direct.py`` and ``conv_gradient.py``: 1x1; the gradient by the image is a forward pass too
direct          ``conv_direct.py``, ``conv_scatter.py`` and ``conv_gradient.py``: everything else over two axes
blocks          columns by compiled kernels and NumPy's BLAS: everything
==============  ============================================================================================
"""
from __future__ import annotations

import numpy as np

from netdef.kernels import conv_blocks
from netdef.kernels.choice import choose, planar
from netdef.kernels.compiled import conv_direct, conv_gradient, conv_scatter, depthwise, winograd
from netdef.kernels.compiled.gemm import gemm
from netdef.kernels.compiled.im2col import col2im, im2col
from netdef.kernels.compiled.linear import bias_grad
from netdef.kernels.conv_blocks import Geometry, Sizes, Steps, geometry
from netdef.kernels.jit import kernel, prange
from netdef.kernels.reference.conv import activate

Array = np.ndarray

LINE = 16  # floats of a cache line: buffers begin at one


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


def scratch(g: Geometry, which: str, name: str) -> int:
    """Floats of scratch that an algorithm takes for a pass."""
    if name == "blocks":
        return g.scratch
    if name in ("depthwise", "product"):
        return 0
    if name.startswith("winograd"):
        return winograd.scratch(g, which, name) + LINE
    if which == "forward":
        return conv_direct.scratch(g) + LINE
    if which == "backward_weights":
        return conv_gradient.scratch(g) + LINE
    return (conv_direct.scratch_back(g) if name == "pointwise" else conv_scatter.scratch(g)) + LINE


def conv_forward(x: Array, w: Array, bias: Array | None, stride: Sizes, pad: Sizes, dilation: Sizes, group: int, col: Array,
                 out: Array, slope: float | None = None) -> None:
    """See the reference."""
    g = planar(geometry(x.shape, w.shape, tuple(stride), tuple(pad), tuple(dilation), group))
    name = choose(g, "forward")
    if name == "blocks":
        conv_blocks.forward(STEPS, x, w, bias, stride, pad, dilation, group, col, out)
        activate(out, slope)
    elif name == "depthwise":
        depthwise.forward(g, x, w, bias, slope, out)
    elif name == "product":
        y = out.reshape(g.images, g.filters)
        gemm(x.reshape(g.images, g.rows), w.reshape(g.filters, g.rows), y, trans_b=True)
        if bias is not None:
            y += bias
        activate(y, slope)
    elif name.startswith("winograd"):
        winograd.forward(g, name, x, w, bias, slope, _fitting(g, "forward", name, col), out)
    else:
        conv_direct.forward(g, x, w, bias, slope, _fitting(g, "forward", name, col), out)


def conv_backward_data(dy: Array, w: Array, stride: Sizes, pad: Sizes, dilation: Sizes, group: int, col: Array,
                       dx: Array) -> None:
    """See the reference."""
    g = planar(geometry(dx.shape, w.shape, tuple(stride), tuple(pad), tuple(dilation), group))
    name = choose(g, "backward_data")
    if name == "blocks":
        conv_blocks.backward_data(STEPS, dy, w, stride, pad, dilation, group, col, dx)
    elif name == "depthwise":
        depthwise.backward_data(g, dy, w, dx)
    elif name == "product":
        gemm(dy.reshape(g.images, g.filters), w.reshape(g.filters, g.rows), dx.reshape(g.images, g.rows))
    elif name.startswith("winograd"):
        winograd.backward_data(g, name, dy, w, _fitting(g, "backward_data", name, col), dx)
    elif name == "pointwise":
        conv_direct.backward_data(g, dy, w, _fitting(g, "backward_data", name, col), dx)
    else:
        conv_scatter.backward_data(g, dy, w, _fitting(g, "backward_data", name, col), dx)


def conv_backward_weights(x: Array, dy: Array, stride: Sizes, pad: Sizes, dilation: Sizes, group: int, col: Array,
                          dw: Array) -> None:
    """See the reference."""
    g = planar(geometry(x.shape, dw.shape, tuple(stride), tuple(pad), tuple(dilation), group))
    name = choose(g, "backward_weights")
    if name == "blocks":
        conv_blocks.backward_weights(STEPS, x, dy, stride, pad, dilation, group, col, dw)
    elif name == "depthwise":
        depthwise.backward_weights(g, x, dy, dw)
    elif name == "product":
        gemm(dy.reshape(g.images, g.filters), x.reshape(g.images, g.rows), dw.reshape(g.filters, g.rows), trans_a=True,
             accumulate=True)
    elif name.startswith("winograd"):
        winograd.backward_weights(g, name, x, dy, _fitting(g, "backward_weights", name, col), dw)
    else:
        conv_gradient.backward_weights(g, x, dy, _fitting(g, "backward_weights", name, col), dw)


def conv_bias_grad(dy: Array, db: Array) -> None:
    """See the reference."""
    bias_grad(dy.reshape(dy.shape[0], db.size, int(np.prod(dy.shape[2:]))), db)


def _fitting(g: Geometry, which: str, name: str, col: Array) -> Array:
    """``col`` from a cache line on, or an array of its own for a caller who brought too little."""
    size = scratch(g, which, name)
    free = col.reshape(-1) if col.size >= size else np.empty(size, np.float32)
    return free[-free.ctypes.data // free.itemsize % LINE:]


def which(kernel: str, args: tuple) -> str:
    """The algorithm that a call of ``kernel`` with these arguments takes, for whoever prints it; "" for other kernels."""
    if kernel == "conv_forward":
        x, w, how = args[0], args[1], args[3:7]
    elif kernel == "conv_backward_data":
        x, w, how = args[7], args[1], args[2:6]
    elif kernel == "conv_backward_weights":
        x, w, how = args[0], args[7], args[2:6]
    else:
        return ""
    stride, pad, dilation, group = how
    g = geometry(x.shape, w.shape, tuple(stride), tuple(pad), tuple(dilation), group)
    return choose(planar(g), kernel.removeprefix("conv_"))
