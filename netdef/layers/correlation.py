"""Correlation: how alike two feature maps are, over displacements."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer, exactly
from netdef.layers.constraints import Constraint, not_negative, positive
from netdef.layers.registry import register

SUBTRACT = 1


@register("Correlation")
class Correlation(Layer):
    r"""Compares each patch of a feature map with patches of another that are moved a little, for optical flow.

    Formula: with k = ``kernel_size``, d = ``max_displacement``, r = (k - 1) / 2 and g = floor(d / stride_2): channel (2 g + 1)
    (p + g) + o + g, for p and o from -g to g, holds the mean over the k x k x C values of a patch of a[.., y, x] * b[.., y +
    p stride_2, x + o stride_2], or of their absolute difference with SUBTRACT. Patches are ``stride_1`` apart, the first one d
    cells from the border of the padded map.

    Shapes: a and b (N, C, H, W); top (N, (2 g + 1)^2, out...), out = ceil((size + 2 pad - 2 (d + r)) / stride_1). There is no
    gradient: this layer is for running trained nets.

    Numerical care: sums in the net's own precision.

    Source: Dosovitskiy et al., FlowNet: Learning Optical Flow with Convolutional Networks, ICCV 2015; FlowNet2's Caffe, whose
    files give its options number 150.

    Example::

        layer { name: "data" type: "Input" top: "a" top: "b" input_param { shape { dim: 1 dim: 2 dim: 6 dim: 8 } } }
        layer { name: "corr" type: "Correlation" bottom: "a" bottom: "b" top: "corr"
                correlation_param { pad: 2 kernel_size: 1 max_displacement: 2 stride_2: 2 } }
    """

    options_field = "correlation_param"
    bottoms = exactly(2)
    differentiable = False
    backward_reads = frozenset()
    constraints = {"kernel_size": Constraint(low=1, odd=True, required=True), "stride_1": positive(), "stride_2": positive(),
                   "max_displacement": Constraint(low=0, required=True), "pad": not_negative()}

    def infer(self, bottom_shapes):
        o, (a, b) = self.options, (tuple(s) for s in bottom_shapes)
        if len(a) != 4 or a != b:
            raise self.spec.shape_error(f"expected two feature maps of one shape (N, C, H, W), got {a} and {b}", 1)
        border = 2 * (o.max_displacement + o.kernel_size // 2)
        out = tuple(-((border - size - 2 * o.pad) // o.stride_1) for size in a[2:])
        if min(out) < 1:
            raise self.spec.shape_error(f"nothing is left of {a[2]}x{a[3]} padded by {o.pad}: displacements and patches "
                                        f"take {border} cells", 0)
        grid = 2 * (o.max_displacement // o.stride_2) + 1
        return Inferred(tops=[(a[0], grid * grid, *out)])

    def forward(self, ctx, bottoms, params, tops):
        o, y = self.options, tops[0].data
        edge = [(0, 0), (0, 0), (o.pad, o.pad), (o.pad, o.pad)]
        a, b = (np.pad(blob.data, edge) for blob in bottoms)
        d, k, steps = o.max_displacement, o.kernel_size, o.max_displacement // o.stride_2
        size = [(n - 1) * o.stride_1 + k for n in y.shape[2:]]
        a = a[:, :, d: d + size[0], d: d + size[1]]
        moves = np.arange(-steps, steps + 1) * o.stride_2 + d
        for channel, (down, right) in enumerate(np.stack(np.meshgrid(moves, moves, indexing="ij"), -1).reshape(-1, 2)):
            other = b[:, :, down: down + size[0], right: right + size[1]]
            subtract = o.correlation_type == SUBTRACT
            alike = np.abs(a - other).sum(axis=1) if subtract else np.einsum("nchw,nchw->nhw", a, other)
            patches = np.lib.stride_tricks.sliding_window_view(alike, (k, k), axis=(1, 2))
            y[:, channel] = patches[:, ::o.stride_1, ::o.stride_1].sum(axis=(3, 4)) / (k * k * max(1, a.shape[1]))
