"""BatchNorm: each channel to mean 0 and variance 1."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, ParamInit, Shape
from netdef.layers.constraints import Constraint, not_negative
from netdef.layers.registry import register

NVIDIA = ("scale_bias", "scale_filler", "bias_filler")  # fields of NVIDIA Caffe


@register("BatchNorm")
class BatchNorm(Layer):
    r"""Brings each channel to mean 0 and variance 1, by the batch's statistics or by those gathered while training.

    Formula, by the batch's statistics (TRAIN, unless ``use_global_stats`` says otherwise): y = (x - m) / sqrt(v + eps)
    with the mean m and the biased variance v of the channel over items and places; dx = (dy - mean(dy) - y * mean(dy *
    y)) / sqrt(v + eps). Forward then notes them: with f = moving_average_fraction and n values a channel, M becomes f *
    M + m, V becomes f * V + v * n / (n - 1), and s becomes f * s + 1. By the stored statistics (TEST): m = M / s and v
    = V / s; dx = dy / sqrt(v + eps).

    Shapes: bottom (N, C, ...), top the same; a bottom of one axis is one channel. In place is allowed and usual.
   
    Params: M (C), V (C), s (1). They are statistics: no solver moves them, and a lr_mult other than 0 written for one
    or two of them is an error, as in Caffe. There is no factor and no offset to learn: put a Scale layer with bias_term
    behind it.

    Numerical care: the variance comes from the centred values. With one value a channel, y is 0 and nothing is learned
    below. A stored s of 0 (a net never trained, or trained for no step) counts as mean 0 and variance 0, so that y is
    x / sqrt(eps), 316 times x by default; Caffe's value is kept, and a warning says so. An empty batch leaves the
    statistics alone, and so does a net with frozen params.

    Source: Ioffe and Szegedy, Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
    Shift, ICML 2015; BVLC Caffe, batch_norm_layer.

    Example::

        layer { name: "data" type: "Input" top: "conv1" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 4 } } }
        layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" batch_norm_param { eps: 0.0001 } }
    """

    options_field = "batch_norm_param"
    in_place = "yes"
    backward_reads = frozenset()
    takes: tuple[str, ...] = ("scale", "relu")
    param_names: tuple[str, ...] = ("mean", "variance", "factor")
    statistics: tuple[str, ...] = param_names
    constraints = {"moving_average_fraction": Constraint(low=0, high=1), "eps": not_negative()}

    def __new__(cls, spec=None):
        """The layer, or NVIDIA's where one of its fields is written."""
        if cls is BatchNorm and spec is not None and any(spec.has(name) for name in NVIDIA):
            from netdef.layers.batch_norm_nv import NvidiaBatchNorm  # which is made of this class

            return object.__new__(NvidiaBatchNorm)
        return object.__new__(cls)

    def __init__(self, spec):
        super().__init__(spec)
        self.stored = self.options.use_global_stats if spec.has("use_global_stats") else spec.phase == "TEST"
        self.follows = "norm" if self.stored else ""
        self.formula_case = "TEST" if self.stored else "TRAIN"
        for i, param in enumerate(spec.message.param):
            if param.lr_mult != 0:
                error = spec.error(f"param {i} is a statistic that no solver may move: expected lr_mult 0, got "
                                   f"{param.lr_mult:g}", hint="write param { lr_mult: 0 }, or no param at all")
                error.where = spec.span("param", i, "lr_mult")
                raise error

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        if not shape:
            raise self.spec.shape_error("expected a bottom with at least one axis, got ()", 0)
        channels = (self._groups(shape)[1],)
        workspace = {"divisor": Array(channels)}
        scratch = {"mean": Array(channels, "float64"), "var": Array(channels, "float64")}
        if not self.stored:
            workspace["standardized"] = scratch["buffer"] = Array(shape)
        params = [ParamInit(name, size, learns=False)
                  for name, size in zip(self.param_names, (channels, channels, (1,)), strict=True)]
        return Inferred(tops=[shape], params=params, workspace=workspace, scratch=scratch)

    def forward(self, ctx, bottoms, params, tops):
        x, y = (a.reshape(self._groups(a.shape)) for a in (bottoms[0].data, tops[0].data))
        eps, divisor = self.options.eps, ctx.workspace["divisor"]
        if self.stored:
            mean, var = self._stored(params)
            divisor[...] = np.sqrt(var + eps)
            K.shift_divide(x, mean, divisor, y)
            return
        mean, var, made = ctx.scratch["mean"], ctx.scratch["var"], ctx.workspace["standardized"].reshape(x.shape)
        K.standardize(x, eps, False, ctx.scratch["buffer"].reshape(x.shape), mean, var, divisor, made, y)
        if x.size and params[0].data.flags.writeable:
            self._note(params, mean, var, x.size // len(mean))

    def forward_with(self, ctx, bottoms, params, tops, behind):
        """Forward, with the Scale and the ReLU behind it in the same sweep."""
        x, y = (a.reshape(self._groups(a.shape)) for a in (bottoms[0].data, tops[0].data))
        rest, divisor = (behind.scale, behind.bias, behind.slope), ctx.workspace["divisor"]
        if self.stored:
            mean, var = self._stored(params)
            divisor[...] = np.sqrt(var + self.options.eps)
            K.norm_stored(x, mean, divisor, *rest, y)
            return
        mean, var = ctx.scratch["mean"], ctx.scratch["var"]
        kept, buffer = (a.reshape(x.shape) for a in (ctx.workspace["standardized"], ctx.scratch["buffer"]))
        K.norm_forward(x, self.options.eps, *rest, buffer, mean, var, divisor, kept, y)
        if x.size and params[0].data.flags.writeable:
            self._note(params, mean, var, x.size // len(mean))

    def backward_with(self, ctx, bottoms, tops, behind):
        """Backward of all of them; by the batch's statistics only."""
        y, dy, dx = (a.reshape(self._groups(a.shape)) for a in (tops[0].data, tops[0].diff, bottoms[0].diff))
        kept, buffer = (a.reshape(dy.shape) for a in (ctx.workspace["standardized"], ctx.scratch["buffer"]))
        K.norm_backward(dy, y, kept, ctx.workspace["divisor"], behind.scale, behind.bias, behind.slope, buffer,
                        behind.dscale, behind.dbias, dx)

    def backward(self, ctx, tops, params, bottoms, need):
        if not need.bottoms[0]:
            return
        dy, dx = (a.reshape(self._groups(a.shape)) for a in (tops[0].diff, bottoms[0].diff))
        divisor = ctx.workspace["divisor"]
        if self.stored:
            K.scale_forward(dy, 1 / divisor, None, None, dx)
        else:
            made, buffer = (a.reshape(dy.shape) for a in (ctx.workspace["standardized"], ctx.scratch["buffer"]))
            K.standardize_backward(dy, made, divisor, None, buffer, dx)

    def as_affine(self, params):
        """Factor and offset of each channel (C) in float64, by the stored statistics."""
        mean, var = self._stored(params)
        factor = 1 / np.sqrt(var + self.options.eps)
        return factor, -mean * factor

    def _stored(self, params) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance (C) in float64 from the three sums."""
        total = float(params[2].data.sum(dtype=np.float64))
        if total == 0:
            self.spec.warn("there are no statistics yet (their factor is 0): values are divided by sqrt(eps), "
                           f"{math.sqrt(self.options.eps):.4g}", "use_global_stats",
                           hint="load trained weights, or train first with use_global_stats unset")
        share = 0.0 if total == 0 else 1 / total
        return params[0].data * np.float64(share), params[1].data * np.float64(share)

    def _note(self, params, mean: np.ndarray, var: np.ndarray, count: int) -> None:
        """Take a batch's statistics into the running sums."""
        kept = self.options.moving_average_fraction
        unbiased = var * (count / (count - 1)) if count > 1 else var
        for blob, value in zip(params, (mean, unbiased, 1.0), strict=True):
            blob.data[...] = kept * blob.data + value

    @staticmethod
    def _groups(shape: Shape) -> Shape:
        """(items, channels, places)."""
        return (shape[0], shape[1] if len(shape) > 1 else 1, math.prod(shape[2:]))
