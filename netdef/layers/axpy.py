"""Axpy: a number for each channel times a blob, plus another blob."""
from __future__ import annotations

from netdef.layers.base import Inferred, Layer, exactly
from netdef.layers.registry import register


@register("Axpy")
class Axpy(Layer):
    r"""Scales each channel of x by its own number a, and adds y: Scale and Eltwise in one.

    Formula: top = a * x + y;  da = sum over the places of a channel of dtop * x,  dx = a * dtop,  dy = dtop.

    Shapes: bottoms a (N, C) or (N, C, 1, ...), x (N, C, ...) and y of the shape of x; top as x.

    Numerical care: sums run in the net's own precision.

    Source: Hu, Shen and Sun, Squeeze-and-Excitation Networks, CVPR 2018, and their fork of Caffe.

    Example::

        layer { name: "data" type: "Input" top: "a" top: "x" top: "y"
                input_param { shape { dim: 2 dim: 3 dim: 1 dim: 1 } shape { dim: 2 dim: 3 dim: 4 dim: 4 }
                              shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
        layer { name: "axpy" type: "Axpy" bottom: "a" bottom: "x" bottom: "y" top: "axpy" }
    """

    bottoms = exactly(3)
    backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        a, x, y = (tuple(s) for s in bottom_shapes)
        if len(x) < 2:
            raise self.spec.shape_error(f"expected x of at least 2 axes (N, C, ...), got {x}", 1)
        if a[:2] != x[:2] or any(n != 1 for n in a[2:]):
            raise self.spec.shape_error(f"expected one number for each item and channel of x {x}, "
                                        f"{x[:2]} or {(*x[:2], 1, 1)}, got {a}", 0)
        if y != x:
            raise self.spec.shape_error(f"expected the shape of x, {x}, got {y}", 2)
        return Inferred(tops=[x], macs=0)

    def forward(self, ctx, bottoms, params, tops):
        a, x, y = (b.data for b in bottoms)
        tops[0].data[...] = self._spread(a, x) * x + y

    def backward(self, ctx, tops, params, bottoms, need):
        a, x, dtop = bottoms[0].data, bottoms[1].data, tops[0].diff
        if need.bottoms[0]:
            da = bottoms[0].diff
            da[...] = (dtop * x).sum(axis=tuple(range(2, x.ndim))).reshape(da.shape)
        if need.bottoms[1]:
            bottoms[1].diff[...] = self._spread(a, x) * dtop
        if need.bottoms[2]:
            bottoms[2].diff[...] = dtop

    @staticmethod
    def _spread(a, x):
        """a with one axis for each of x."""
        return a.reshape(*x.shape[:2], *[1] * (x.ndim - 2))
