"""CenterLoss and TripletLoss: features near to their own class."""
from __future__ import annotations

import math

import numpy as np

from netdef.layers.base import Array, Inferred, Layer, ParamInit, check_axis, exactly
from netdef.layers.constraints import positive
from netdef.layers.losses import check_item_labels, check_labels, check_same_items
from netdef.layers.registry import register


@register("CenterLoss")
class CenterLoss(Layer):
    r"""Pulls the features of each class towards a centre that moves with them, beside a loss that keeps classes apart.

    Formula: y = 1/(2 N) sum of |x_n - c_label|^2;  dx_n = w / N (x_n - c_label) with the loss weight w;  dC[j] += sum over the
    items of class j of (c_j - x_n), divided by one more than their number: not the derivative of y, and without w, so that
    lr_mult alone says how fast centres follow.

    Shapes: features (N, ...), taken as vectors from ``axis`` on; labels, one for each item. Top: a scalar (). Param: centres
    (num_output, K). Labels get no gradient.

    Numerical care: sums in the net's own precision. A label that is no class is an error.

    Source: Wen, Zhang, Li and Qiao, A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016, and
    their fork (caffe-face), whose files give its options number 147.

    Example::

        layer { name: "data" type: "Input" top: "feature" top: "label"
                input_param { shape { dim: 4 dim: 2 } shape { dim: 4 } } }
        layer { name: "center" type: "CenterLoss" bottom: "feature" bottom: "label" top: "center" loss_weight: 0.01
                center_loss_param { num_output: 3 center_filler { type: "xavier" } } }
    """

    options_field = "center_loss_param"
    bottoms = exactly(2)
    differentiable = (True, False)
    is_loss = True
    backward_reads = frozenset({"bottoms"})
    param_names = ("centers",)
    constraints = {"num_output": positive(required=True)}

    def infer(self, bottom_shapes):
        shape = tuple(bottom_shapes[0])
        axis = check_axis(self.spec, self.options.axis, len(shape))
        items = math.prod(shape[:axis])
        check_item_labels(self.spec, (items,), tuple(bottom_shapes[1]))
        size = math.prod(shape[axis:])
        centers = ParamInit("centers", (self.options.num_output, size), self.options.center_filler, "center_filler")
        return Inferred(tops=[()], params=[centers], workspace={"off": Array((items, size))})

    def forward(self, ctx, bottoms, params, tops):
        off, labels = ctx.workspace["off"], bottoms[1].data
        check_labels(self.spec, labels, self.options.num_output, None)
        np.subtract(bottoms[0].data.reshape(off.shape), params[0].data[labels.reshape(-1).astype(np.int64)], out=off)
        tops[0].data[...] = np.square(off).sum(dtype=np.float64) / (2 * max(1, len(off)))

    def backward(self, ctx, tops, params, bottoms, need):
        off = ctx.workspace["off"]
        if need.params[0]:
            classes = bottoms[1].data.reshape(-1).astype(np.int64)
            count = np.bincount(classes, minlength=self.options.num_output)
            np.subtract.at(params[0].diff, classes, off / (1 + count[classes]).astype(off.dtype)[:, None])
        if need.bottoms[0]:
            dx = bottoms[0].diff
            np.multiply(off.reshape(dx.shape), float(tops[0].diff) / max(1, len(off)), out=dx)


@register("TripletLoss")
class TripletLoss(Layer):
    r"""Wants an item nearer to one of its own class than to one of another, by a margin.

    Formula: y = 1/(2 N) sum of max(0, margin + |a - p|^2 - |a - n|^2);  where that is above 0, with the loss weight w, da = w / N
    (n - p), dp = w / N (p - a) and dn = w / N (a - n), else 0.

    Shapes: anchors a, positives p and negatives n, (N, ...) with as many values. Top: a scalar ().

    Numerical care: squared distances, not distances; other forks' layers of this name differ in this, in the bottoms and in
    the divisor.

    Source: Schroff, Kalenichenko and Philbin, FaceNet, CVPR 2015; caffe-windows (happynear), whose files give its options
    number 203.

    Example::

        layer { name: "data" type: "Input" top: "a" top: "p" top: "n" input_param { shape { dim: 4 dim: 2 } } }
        layer { name: "loss" type: "TripletLoss" bottom: "a" bottom: "p" bottom: "n" top: "loss"
                triplet_loss_param { margin: 0.2 } }
    """

    options_field = "triplet_loss_param"
    bottoms = exactly(3)
    is_loss = True
    backward_reads = frozenset({"bottoms"})

    def infer(self, bottom_shapes):
        a, *others = (tuple(s) for s in bottom_shapes)
        for i, shape in enumerate(others, 1):
            check_same_items(self.spec, a, shape, i)
        return Inferred(tops=[()], workspace={"counts": Array(a[:1], "bool")})

    def forward(self, ctx, bottoms, params, tops):
        a, p, n = (b.data.reshape(len(b.data), math.prod(b.shape[1:])) for b in bottoms)
        loss = self.options.margin + np.square(a - p).sum(axis=1) - np.square(a - n).sum(axis=1)
        np.greater(loss, 0, out=ctx.workspace["counts"])
        tops[0].data[...] = np.maximum(loss, 0).sum(dtype=np.float64) / (2 * max(1, len(a)))

    def backward(self, ctx, tops, params, bottoms, need):
        a, p, n = (b.data.reshape(len(b.data), math.prod(b.shape[1:])) for b in bottoms)
        factor = (ctx.workspace["counts"] * (float(tops[0].diff) / max(1, len(a)))).astype(a.dtype)[:, None]
        for i, (one, other) in enumerate(((n, p), (p, a), (a, n))):
            if need.bottoms[i]:
                bottoms[i].diff[...] = ((one - other) * factor).reshape(bottoms[i].shape)
