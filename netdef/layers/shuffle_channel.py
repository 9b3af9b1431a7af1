"""ShuffleChannel: channels of each group dealt out to all groups."""
from __future__ import annotations

from netdef.layers.base import Inferred, Layer, Shape
from netdef.layers.constraints import positive
from netdef.layers.registry import register


@register("ShuffleChannel")
class ShuffleChannel(Layer):
    r"""Mixes the channels of ``group`` groups, so that a grouped convolution behind it sees some of every group.

    Formula: with n = C / group, y[:, j * group + i] = x[:, i * n + j] for group i and its channel j;  dx goes the same way
    back.

    Shapes: bottom (N, C, ...), C a multiple of ``group``; top the same shape.

    Numerical care: none, values are only moved.

    Source: Zhang, Zhou, Lin and Sun, ShuffleNet, CVPR 2018.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 6 dim: 4 dim: 4 } } }
        layer { name: "shuffle" type: "ShuffleChannel" bottom: "data" top: "shuffle" shuffle_channel_param { group: 3 } }
    """

    options_field = "shuffle_channel_param"
    backward_reads = frozenset()
    constraints = {"group": positive()}

    def infer(self, bottom_shapes):
        shape, group = tuple(bottom_shapes[0]), self.options.group
        if len(shape) < 2:
            raise self.spec.shape_error(f"expected a bottom of at least 2 axes (N, C, ...), got {shape}", 0)
        if shape[1] % group:
            raise self.spec.shape_error(f"expected a number of channels that group {group} divides, got {shape[1]}", 0, "group")
        return Inferred(tops=[shape])

    def forward(self, ctx, bottoms, params, tops):
        x, y = bottoms[0].data, tops[0].data
        y.reshape(self._dealt(y.shape))[...] = x.reshape(self._grouped(x.shape)).swapaxes(1, 2)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            dy, dx = tops[0].diff, bottoms[0].diff
            dx.reshape(self._grouped(dx.shape))[...] = dy.reshape(self._dealt(dy.shape)).swapaxes(1, 2)

    def _grouped(self, shape: Shape) -> Shape:
        """(N, group, channels of a group, ...)."""
        return (shape[0], self.options.group, shape[1] // self.options.group, *shape[2:])

    def _dealt(self, shape: Shape) -> Shape:
        """(N, channels of a group, group, ...)."""
        return (shape[0], shape[1] // self.options.group, self.options.group, *shape[2:])
