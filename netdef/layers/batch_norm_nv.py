"""BatchNorm as NVIDIA Caffe has it: with factor and offset, and with statistics that need no divisor. No type of its own."""
from __future__ import annotations

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, ParamInit
from netdef.layers.batch_norm import BatchNorm

LEAST_EPS = 1e-5
COPIED = 2  # passes whose statistics replace the stored ones


class NvidiaBatchNorm(BatchNorm):
    r"""What a BatchNorm layer becomes where scale_bias, scale_filler or bias_filler is written.

    Formula, by the batch's statistics (TRAIN): y = g * z + b with z = (x - m) / sqrt(v + eps), the mean m and the biased
    variance v; dx = (dz - mean(dz) - z * mean(dz * z)) / sqrt(v + eps) with dz = g * dy; dg = the sum of dy * z; db = the sum
    of dy. The first two passes store m and v, later ones take them in: M = f * M + (1 - f) * m with f =
    moving_average_fraction, and V likewise. By the stored statistics (TEST): m = M and v = V; dx = g * dy / sqrt(v + eps).

    Shapes: bottom (N, C, ...), top the same; in place is allowed. Params: M (C), V (C), a correction (1) that is 1 and not
    looked at, and with scale_bias g (C) and b (C).

    Numerical care: the phase alone decides which statistics count; ``use_global_stats`` is read and has no effect. eps is at
    least 1e-5. The first two passes of any training replace the statistics, also those that came with trained weights.

    Source: NVIDIA Caffe 0.17, batch_norm_layer.
    """

    takes: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ("mean", "variance", "correction")

    def __init__(self, spec):
        Layer.__init__(self, spec)
        o = self.options
        self.affine = o.scale_bias or spec.has("scale_filler") or spec.has("bias_filler")
        self.param_names = (*self.statistics, "scale", "bias") if self.affine else self.statistics
        self.stored = spec.phase == "TEST"
        self.follows = "norm" if self.stored else ""
        self.formula_case = spec.phase
        self.eps = max(o.eps, LEAST_EPS)
        self.passes = 0
        if spec.has("use_global_stats") and o.use_global_stats != self.stored:
            spec.warn("has no effect in NVIDIA Caffe's BatchNorm: the phase decides", "use_global_stats")

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        if not shape:
            raise self.spec.shape_error("expected a bottom with at least one axis, got ()", 0)
        channels = (self._groups(shape)[1],)
        params = [ParamInit("mean", channels, learns=False), ParamInit("variance", channels, learns=False),
                  ParamInit("correction", (1,), 1.0, learns=False)]
        if self.affine:
            filler = self.options.scale_filler if self.spec.has("scale_filler") else 1.0
            params += [ParamInit("scale", channels, filler, "scale_filler"),
                       ParamInit("bias", channels, self.options.bias_filler, "bias_filler")]
        scratch = {"mean": Array(channels, "float64"), "var": Array(channels, "float64"), "buffer": Array(shape)}
        return Inferred(tops=[shape], params=params, scratch=scratch,
                        workspace={"divisor": Array(channels), "standardized": Array(shape)})

    def forward(self, ctx, bottoms, params, tops):
        x, y = (a.reshape(self._groups(a.shape)) for a in (bottoms[0].data, tops[0].data))
        kept, divisor = ctx.workspace["standardized"].reshape(x.shape), ctx.workspace["divisor"]
        if self.stored:
            mean, var = self._stored(params)
            divisor[...] = np.sqrt(var + self.eps)
            K.shift_divide(x, mean, divisor, kept)
        else:
            mean, var = ctx.scratch["mean"], ctx.scratch["var"]
            K.standardize(x, self.eps, False, ctx.scratch["buffer"].reshape(x.shape), mean, var, divisor, kept)
            if x.size and params[0].data.flags.writeable:
                self._note(params, mean, var, x.size // len(mean))
        if self.affine:
            K.scale_forward(kept, params[3].data, params[4].data, None, y)
        else:
            y[...] = kept

    def backward(self, ctx, tops, params, bottoms, need):
        dy, dx = (a.reshape(self._groups(a.shape)) for a in (tops[0].diff, bottoms[0].diff))
        kept, buffer = (a.reshape(dy.shape) for a in (ctx.workspace["standardized"], ctx.scratch["buffer"]))
        if self.affine:
            dscale, dbias = (p.diff if wanted else None for p, wanted in zip(params[3:], need.params[3:], strict=True))
            K.scale_backward(kept, dy, params[3].data, buffer, dscale, dbias, dx if need.bottoms[0] else None)
        elif need.bottoms[0] and dx is not dy:
            dx[...] = dy
        if need.bottoms[0] and self.stored:
            K.scale_forward(dx, 1 / ctx.workspace["divisor"], None, None, dx)
        elif need.bottoms[0]:
            K.standardize_backward(dx, kept, ctx.workspace["divisor"], None, buffer, dx)

    def as_affine(self, params):
        """Factor and offset of each channel (C) in float64, by the stored statistics."""
        mean, var = self._stored(params)
        factor = 1 / np.sqrt(var + self.eps)
        offset = -mean * factor
        if not self.affine:
            return factor, offset
        scale = params[3].data.astype(np.float64)
        return factor * scale, offset * scale + params[4].data

    def _stored(self, params):
        return params[0].data.astype(np.float64), params[1].data.astype(np.float64)

    def _note(self, params, mean, var, count):
        kept = 0.0 if self.passes < COPIED else self.options.moving_average_fraction
        for blob, value in zip(params, (mean, var), strict=False):
            blob.data[...] = kept * blob.data + (1 - kept) * value
        self.passes += 1

    def state(self):
        return {"passes": self.passes}

    def set_state(self, state):
        self.passes = state.get("passes", 0)
