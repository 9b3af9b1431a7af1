"""Silence: takes blobs that nobody else wants."""
from __future__ import annotations

from netdef.layers.base import Inferred, Layer, at_least, exactly
from netdef.layers.registry import register


@register("Silence")
class Silence(Layer):
    r"""Reads blobs and does nothing with them, so that they are no outputs of the net.

    Formula: none forward; dx = 0.

    Shapes: any number of bottoms of any shapes, no tops.

    Numerical care: none; the gradient is 0 even where the values are NaN.

    Source: BVLC Caffe, silence_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" top: "label" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "quiet" type: "Silence" bottom: "label" }
    """

    bottoms = at_least(1)
    tops = exactly(0)
    backward_reads = frozenset()

    def infer(self, bottom_shapes):
        return Inferred(tops=[])

    def forward(self, ctx, bottoms, params, tops):
        """Nothing to compute."""

    def backward(self, ctx, tops, params, bottoms, need):
        for bottom, needed in zip(bottoms, need.bottoms, strict=True):
            if needed:
                bottom.diff[...] = 0
