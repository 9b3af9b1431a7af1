"""NoisyReLU: a rectifier that adds noise while training."""
from __future__ import annotations

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer
from netdef.layers.registry import register


@register("NoisyReLU")
class NoisyReLU(Layer):
    r"""Adds noise of mean 0 and variance sigmoid(x) to every value and drops negative results; TEST: no noise.

    Formula, TRAIN: y = max(0, x + sqrt(s) * n), with s = 1 / (1 + e^-x) and n drawn from the standard normal
    distribution;  dx = dy * (1 + n * sqrt(s) * (1 - s) / 2) where y > 0, else 0. TEST: y = max(0, x), dx = dy where
    x > 0, else 0.

    Shapes: bottom any shape, top the same. In place is allowed: what backward needs is kept.

    Numerical care: the noise is a function of seed, layer name and pass number alone, so a resumed run draws what an
    unbroken one would have drawn. The gradient is that of y with n held fixed, so it counts how x moves the noise's
    width; a gradient check agrees with it.

    Source: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, ICML 2010.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "noisy1" type: "NoisyReLU" bottom: "data" top: "noisy1" }
    """

    in_place = "yes"

    def __init__(self, spec):
        super().__init__(spec)
        self.noisy = spec.phase == "TRAIN"
        self.keeps_sign = not self.noisy
        self.backward_reads = frozenset() if self.noisy else frozenset({"top signs"})

    def infer(self, bottom_shapes):
        shape = bottom_shapes[0]
        if not self.noisy:
            return Inferred(tops=[shape])
        return Inferred(tops=[shape], workspace={"slope": Array(shape)}, scratch={"gate": Array(shape)})

    def forward(self, ctx, bottoms, params, tops):
        x, y = bottoms[0].data, tops[0].data
        if not self.noisy:
            K.relu_forward(x, 0.0, y)
            return
        gate, slope = ctx.scratch["gate"], ctx.workspace["slope"]
        K.sigmoid_forward(x, gate)
        np.sqrt(gate, out=slope)
        slope *= ctx.rng.normal(x.shape, ctx.dtype)  # the noise
        np.add(x, slope, out=y)
        np.subtract(1, gate, out=gate)
        slope *= gate
        slope *= 0.5
        slope += 1
        np.copyto(slope, 0, where=y <= 0)
        np.maximum(y, 0, out=y)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            if self.noisy:
                np.multiply(tops[0].diff, ctx.workspace["slope"], out=bottoms[0].diff)
            else:
                K.relu_backward(tops[0].data, tops[0].diff, 0.0, bottoms[0].diff)
