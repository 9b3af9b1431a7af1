"""MatMul: the product of two blobs of matrices."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer, Shape, exactly
from netdef.layers.registry import register


@register("MatMul")
class MatMul(Layer):
    r"""Multiplies the matrices in the last two axes of its bottoms, one pair for each item of the axes before.

    Formula: y = op(a) op(b), where op swaps the last two axes with ``transpose_a`` or ``transpose_b``;
    d op(a) = dy op(b)^T;  d op(b) = op(a)^T dy, summed over the items where a or b is a single matrix.

    Shapes: op(a) (items..., M, K) and op(b) (items..., K, N), top (items..., M, N). Either bottom may be a single matrix
    of two axes, which serves all items of the other.

    Numerical care: sums in the net's own precision. K of 0 gives zeros.

    Source: the attention of Vaswani et al., Attention Is All You Need, NeurIPS 2017, is made of it.

    Example::

        layer { name: "in" type: "Input" top: "query" top: "key"
                input_param { shape { dim: 2 dim: 5 dim: 8 } shape { dim: 2 dim: 7 dim: 8 } } }
        layer { name: "scores" type: "MatMul" bottom: "query" bottom: "key" top: "scores"
                matmul_param { transpose_b: true } }
    """

    options_field = "matmul_param"
    bottoms = exactly(2)
    backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        a, b = (tuple(s) for s in bottom_shapes)
        names, o = self.spec.message.bottom, self.options
        for i, shape in enumerate((a, b)):
            if len(shape) < 2:
                raise self.spec.shape_error(f"expected at least 2 axes, got '{names[i]}' of shape {shape}", i)
        if a[:-2] and b[:-2] and a[:-2] != b[:-2]:
            raise self.spec.shape_error("expected the same sizes before the last two axes, or a single matrix, got "
                                        f"'{names[0]}' of shape {a} and '{names[1]}' of shape {b}", 1)
        m, k = _swapped(a[-2:], o.transpose_a)
        k_too, n = _swapped(b[-2:], o.transpose_b)
        if k != k_too:
            raise self.spec.shape_error(f"expected as many columns in '{names[0]}' as rows in '{names[1]}', got {m}x{k} "
                                        f"and {k_too}x{n}" + _said(o), 1)
        items = a[:-2] or b[:-2]
        return Inferred(tops=[(*items, m, n)], macs=math.prod(items) * m * k * n)

    def forward(self, ctx, bottoms, params, tops):
        a, b = self._operands(bottoms)
        np.matmul(a, b, out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        a, b = self._operands(bottoms)
        dy, o = tops[0].diff, self.options
        if need.bottoms[0]:
            _product(dy, _t(b), o.transpose_a, bottoms[0].diff)
        if need.bottoms[1]:
            _product(_t(a), dy, o.transpose_b, bottoms[1].diff)

    def _operands(self, bottoms) -> tuple[np.ndarray, np.ndarray]:
        """op(a) and op(b), views."""
        a, b = (x.data for x in bottoms)
        return _t(a) if self.options.transpose_a else a, _t(b) if self.options.transpose_b else b


def _product(left: np.ndarray, right: np.ndarray, transposed: bool, out: np.ndarray) -> None:
    """out = left right, or its transpose; summed over the items where ``out`` is a single matrix and they are not."""
    if transposed:
        left, right = _t(right), _t(left)
    if out.ndim == max(left.ndim, right.ndim):
        np.matmul(left, right, out=out)
        return
    items = math.prod((left if left.ndim > 2 else right).shape[:-2])
    # both have the items: a sum over them and over the inner axis is one product of long matrices
    m, k, n = *left.shape[-2:], right.shape[-1]
    long = np.moveaxis(left.reshape(items, m, k), 0, 1).reshape(m, items * k)
    K.gemm(long, right.reshape(items * k, n), out)


def _t(a: np.ndarray) -> np.ndarray:
    """The matrices transposed, a view."""
    return a.swapaxes(-1, -2)


def _swapped(sizes: Shape, swap: bool) -> Shape:
    return sizes[::-1] if swap else sizes


def _said(options) -> str:
    """Which operand was transposed, for an error's message."""
    flags = [name for name in ("transpose_a", "transpose_b") if getattr(options, name)]
    return f" (with {' and '.join(flags)})" if flags else ""
