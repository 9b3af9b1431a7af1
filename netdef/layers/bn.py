"""BN: batch normalisation with factor and offset in one layer, as SegNet's and PSPNet's forks have it."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, ParamInit, Shape
from netdef.layers.constraints import Constraint, not_negative
from netdef.layers.registry import register

SEGNET = ("scale_filler", "shift_filler", "bn_mode")
SEGNET_EPS = 1e-9
INFERENCE = 1


@register("BN")
class BN(Layer):
    r"""Brings each channel to mean 0 and variance 1, then scales and shifts it by params: BatchNorm and Scale in one.

    Formula: y = g * (x - m) / sqrt(v + eps) + b. By the batch's mean m and biased variance v: dx = (dz - mean(dz) - z *
    mean(dz * z)) / sqrt(v + eps) with z = (x - m) / sqrt(v + eps) and dz = g * dy; dg = the sum of dy * z; db = the sum of dy.
    By stored statistics: dx = g * dy / sqrt(v + eps). PSPNet's then keeps M = momentum * M + (1 - momentum) * m, and V
    likewise. SegNet's INFERENCE: y = g * x + b.

    Which: with scale_filler, shift_filler or bn_mode the layer is SegNet's, else PSPNet's (which TSN's is, too). SegNet's LEARN
    goes by the batch in both phases, with eps 1e-9. PSPNet's goes by the batch in TRAIN, and by the stored statistics in TEST
    or where it is ``frozen``; frozen, its params get no gradient.

    Shapes: bottom (N, C, ...), top the same. In place is allowed. Params, all (1, C, 1, 1): SegNet scale and shift; PSPNet
    slope, bias, mean and variance, the last two kept by the layer.

    Numerical care: as in BatchNorm. The stored variance is the biased one, and nothing divides it.

    Source: Ioffe and Szegedy, Batch Normalization, ICML 2015; the forks of SegNet (Badrinarayanan, Kendall and Cipolla, 2015)
    and PSPNet (Zhao et al., CVPR 2017).

    Example::

        layer { name: "data" type: "Input" top: "conv1" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
        layer { name: "bn1" type: "BN" bottom: "conv1" top: "conv1" bn_param { momentum: 0.95 } }
    """

    options_field = "bn_param"
    in_place = "yes"
    backward_reads = frozenset()
    constraints = {"momentum": Constraint(low=0, high=1), "eps": not_negative()}

    def __init__(self, spec):
        super().__init__(spec)
        theirs = [name for name in ("slope_filler", "bias_filler", "momentum", "eps", "frozen", "engine") if spec.has(name)]
        ours = [name for name in SEGNET if spec.has(name)]
        if ours and theirs:
            raise spec.error(f"{ours[0]} is SegNet's and {theirs[0]} is PSPNet's: expected the fields of one", theirs[0])
        self.segnet = bool(ours)
        self.plain = self.segnet and self.options.bn_mode == INFERENCE
        self.stored = not self.segnet and (self.options.frozen or spec.phase == "TEST")
        self.eps = SEGNET_EPS if self.segnet else self.options.eps
        self.param_names = ("scale", "shift") if self.segnet else ("slope", "bias", "mean", "variance")
        self.statistics = self.param_names if self.options.frozen else self.param_names[2:]

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        if len(shape) < 2:
            raise self.spec.shape_error(f"expected a bottom of at least 2 axes (N, C, ...), got {shape}", 0)
        channels, o = (shape[1],), self.options
        size = (1, shape[1], 1, 1)
        if self.segnet:
            params = [ParamInit("scale", size, o.scale_filler, "scale_filler"),
                      ParamInit("shift", size, o.shift_filler, "shift_filler")]
        else:
            params = [ParamInit("slope", size, o.slope_filler, "slope_filler", learns=not o.frozen),
                      ParamInit("bias", size, o.bias_filler, "bias_filler", learns=not o.frozen),
                      ParamInit("mean", size, learns=False),
                      ParamInit("variance", size, 1.0 if o.frozen else 0.0, learns=False)]
        workspace = {"standardized": Array(shape), "divisor": Array(channels)}
        scratch = {"buffer": Array(shape), "mean": Array(channels, "float64"), "var": Array(channels, "float64")}
        return Inferred(tops=[shape], params=params, workspace=workspace, scratch=scratch)

    def forward(self, ctx, bottoms, params, tops):
        x, y = (a.reshape(self._groups(a.shape)) for a in (bottoms[0].data, tops[0].data))
        scale, shift = (p.data.reshape(-1) for p in params[:2])
        kept, divisor = ctx.workspace["standardized"].reshape(x.shape), ctx.workspace["divisor"]
        if self.plain:
            K.scale_forward(x, scale, shift, kept, y)
            return
        if self.stored:
            mean, var = (p.data.reshape(-1).astype(np.float64) for p in params[2:])
            divisor[...] = np.sqrt(var + self.eps)
            K.shift_divide(x, mean, divisor, kept)
        else:
            mean, var = ctx.scratch["mean"], ctx.scratch["var"]
            K.standardize(x, self.eps, False, ctx.scratch["buffer"].reshape(x.shape), mean, var, divisor, kept)
            if not self.segnet and x.size and params[2].data.flags.writeable:
                self._note(params[2:], mean, var)
        K.scale_forward(kept, scale, shift, None, y)

    def backward(self, ctx, tops, params, bottoms, need):
        dy, dx = (a.reshape(self._groups(a.shape)) for a in (tops[0].diff, bottoms[0].diff))
        scale = params[0].data.reshape(-1)
        kept, buffer = (a.reshape(dy.shape) for a in (ctx.workspace["standardized"], ctx.scratch["buffer"]))
        dscale, dshift = (p.diff.reshape(-1) if wanted else None for p, wanted in zip(params, need.params[:2], strict=False))
        K.scale_backward(kept, dy, scale, buffer, dscale, dshift, dx if need.bottoms[0] else None)
        if not need.bottoms[0] or self.plain:
            return
        divisor = ctx.workspace["divisor"]
        if self.stored:
            K.scale_forward(dx, 1 / divisor, None, None, dx)
        else:
            K.standardize_backward(dx, kept, divisor, None, buffer, dx)

    def _note(self, statistics, mean: np.ndarray, var: np.ndarray) -> None:
        """Take a batch's statistics into the stored ones."""
        momentum = self.options.momentum
        for blob, value in zip(statistics, (mean, var), strict=True):
            blob.data[...] = momentum * blob.data + (1 - momentum) * value.reshape(blob.shape)

    @staticmethod
    def _groups(shape: Shape) -> Shape:
        """(items, channels, places)."""
        return (shape[0], shape[1], math.prod(shape[2:]))
