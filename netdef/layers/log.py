"""Log: a logarithm to any base."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Array, Inferred, Layer
from netdef.layers.exp import log_of_base
from netdef.layers.registry import register


@register("Log")
class Log(Layer):
    r"""Takes the logarithm to ``base`` of every value, after a factor and a shift.

    Formula: y = log(shift + scale * x) / log(base), base -1 standing for e;
    dx = dy * scale / (log(base) * (shift + scale * x)).

    Shapes: bottom any shape, top the same. In place only in a net that does not learn: the gradient needs x (Caffe
    computes a wrong one there without a word).

    Numerical care: -infinity where shift + scale * x is 0, NaN where it is negative; a small positive shift keeps a
    blob that reaches down to 0 away from both.

    Source: BVLC Caffe, log_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "level" type: "Log" bottom: "data" top: "level" log_param { base: 10 shift: 1 } }
    """

    options_field = "log_param"
    in_place = "values"
    backward_reads = frozenset({"bottoms"})

    def __init__(self, spec):
        super().__init__(spec)
        log_base = log_of_base(spec)
        if log_base == 0:
            raise spec.error("no number but 1 is a power of 1, got base 1", "base")
        self.per_log = 1 / log_base

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]], scratch={"inner": Array(bottom_shapes[0])})

    def forward(self, ctx, bottoms, params, tops):
        y = tops[0].data
        self._inner(bottoms[0].data, y)
        with np.errstate(divide="ignore", invalid="ignore"):  # -inf and NaN are the answers
            np.log(y, out=y)
        if self.per_log != 1:
            y *= self.per_log

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            inner, dx = ctx.scratch["inner"], bottoms[0].diff
            self._inner(bottoms[0].data, inner)
            np.multiply(tops[0].diff, self.options.scale * self.per_log, out=dx)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                np.divide(dx, inner, out=dx)

    def _inner(self, x: np.ndarray, out: np.ndarray) -> None:
        """out = shift + scale * x."""
        np.multiply(x, self.options.scale, out=out)
        out += self.options.shift
