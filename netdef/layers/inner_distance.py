"""InnerDistance: how far vectors lie from learned centres."""
from __future__ import annotations

import math

import numpy as np

from netdef.layers.base import Inferred, Layer, ParamInit, check_axis
from netdef.layers.constraints import positive
from netdef.layers.registry import register


@register("InnerDistance")
class InnerDistance(Layer):
    r"""Gives the distance of each item from each of a number of learned centres, where InnerProduct gives products.

    Formula: L2: y_j = sum over k of (x_k - w_jk)^2 + b_j;  dx_k = 2 sum over j of dy_j (x_k - w_jk);  dw_jk = 2 sum over the
    items of dy_j (w_jk - x_k). L1: y_j = sum over k of |x_k - w_jk| + b_j;  dx_k = sum of dy_j sign(x_k - w_jk);  dw_jk = sum of
    dy_j sign(w_jk - x_k). db_j = sum of dy_j.

    Shapes: bottom (N, ...), taken as vectors of K from ``axis`` on; top (N, num_output). Params: centres (num_output, K); b
    (num_output) with ``bias_term``.

    Numerical care: L2 is the squared distance: no root, no half. Differences are squared, not products added up, so that near
    points keep their digits. The fork takes centres as a second bottom, too; here they are always params.

    Source: happynear/caffe-windows, whose files give its options number 213.

    Example::

        layer { name: "data" type: "Input" top: "feature" input_param { shape { dim: 4 dim: 2 } } }
        layer { name: "far" type: "InnerDistance" bottom: "feature" top: "far"
                inner_distance_param { num_output: 3 weight_filler { type: "gaussian" std: 1 } } }
    """

    options_field = "inner_distance_param"
    backward_reads = frozenset({"bottoms"})
    constraints = {"num_output": positive(required=True)}

    def __init__(self, spec):
        super().__init__(spec)
        o = self.options
        self.param_names = ("centers", "bias") if o.bias_term else ("centers",)
        for name in ("transpose", "normalize", "update_center_only"):
            if getattr(o, name):
                raise spec.error("expected false, which is all that is known here", name)
        if o.distance_type not in ("L2", "L1"):
            raise spec.error(f"expected L2 or L1, got '{o.distance_type}'", "distance_type")

    def infer(self, bottom_shapes):
        shape, o = tuple(bottom_shapes[0]), self.options
        axis = check_axis(self.spec, o.axis, len(shape))
        size = math.prod(shape[axis:])
        params = [ParamInit("centers", (o.num_output, size), o.weight_filler, "weight_filler"),
                  ParamInit("bias", (o.num_output,), o.bias_filler, "bias_filler")][: len(self.param_names)]
        return Inferred(tops=[(*shape[:axis], o.num_output)], params=params, macs=math.prod(shape) * o.num_output)

    def forward(self, ctx, bottoms, params, tops):
        centers, y = params[0].data, tops[0].data.reshape(-1, self.options.num_output)
        x = bottoms[0].data.reshape(len(y), centers.shape[1])
        measure = np.square if self.options.distance_type == "L2" else np.abs
        for j, center in enumerate(centers):
            measure(x - center).sum(axis=1, out=y[:, j])
        if len(params) > 1:
            y += params[1].data

    def backward(self, ctx, tops, params, bottoms, need):
        centers, dy = params[0].data, tops[0].diff.reshape(-1, self.options.num_output)
        x = bottoms[0].data.reshape(len(dy), centers.shape[1])
        dx = bottoms[0].diff.reshape(x.shape) if need.bottoms[0] else None
        if dx is not None:
            dx[...] = 0
        for j, center in enumerate(centers if dx is not None or need.params[0] else ()):
            slope = 2 * (x - center) if self.options.distance_type == "L2" else np.sign(x - center)
            if dx is not None:
                dx += dy[:, j, None] * slope
            if need.params[0]:
                params[0].diff[j] -= (dy[:, j, None] * slope).sum(axis=0)
        if len(params) > 1 and need.params[1]:
            params[1].diff[...] += dy.sum(axis=0)
