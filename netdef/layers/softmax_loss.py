"""SoftmaxWithLoss: the loss of classification."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, between, check_axis, exactly
from netdef.layers.losses import Normalization, check_first_axes, check_label_count, check_labels
from netdef.layers.registry import register
from netdef.layers.softmax import as_three


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(Layer):
    r"""Softmax and the multinomial logistic loss in one: minus the mean log probability of the right class.

    Formula: p = softmax(x);  y = -1/Z sum over places of log max(p_label, 1.17549e-38);
    dx_c = w / Z (p_c - [c = label]) with the loss weight w. Places whose label is ``ignore_label`` count neither in y
    nor in dx.
    Z by ``normalization``: VALID (default) places not ignored, FULL all places, BATCH_SIZE items, NONE 1; at least 1.
    The legacy ``normalize`` (true: VALID, false: BATCH_SIZE) is read where ``normalization`` is not given.

    Shapes: scores (N, C, ...), labels with one value for each place, (N) or (N, 1, ...) or (N, ...); C is
    ``softmax_param { axis }``, default 1. Top: a scalar (); a second top gets the probabilities, in the shape of the
    scores, and passes no gradient down. Labels get no gradient.

    Numerical care: the clamp at the smallest normal float32 holds each place's loss to at most 87.33654; a net that
    shows this number has diverged, or its labels are wrong. A label that is no class is an error here (Caffe reads
    whatever lies there in memory). The gradient is formed from p, without dividing by it.

    Source: BVLC Caffe, softmax_loss_layer; Bishop, Pattern Recognition and Machine Learning, section 4.3.4.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "label"
                input_param { shape { dim: 2 dim: 10 } shape { dim: 2 } } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
                loss_param { ignore_label: 255 normalization: VALID } }
    """

    options_field = "softmax_param"
    bottoms = exactly(2)
    tops = between(1, 2)
    differentiable = (True, False)
    is_loss = True
    backward_reads = frozenset({"bottoms"})

    def __init__(self, spec):
        super().__init__(spec)
        self.normalization = Normalization.read(spec, "VALID")

    def infer(self, bottom_shapes):
        scores, labels = (tuple(s) for s in bottom_shapes)
        axis = check_axis(self.spec, self.options.axis, len(scores))
        check_first_axes(self.spec, scores, labels)
        check_label_count(self.spec, scores, labels, axis)
        return Inferred(tops=[(), scores][: self.spec.num_tops],
                        workspace={"prob": Array(scores), "divisor": Array((), "float64")})

    def forward(self, ctx, bottoms, params, tops):
        prob = as_three(ctx.workspace["prob"], self.options.axis)
        outer, classes, inner = prob.shape
        check_labels(self.spec, bottoms[1].data, classes, self.normalization.ignore)
        K.softmax_forward(as_three(bottoms[0].data, self.options.axis), prob)
        total, valid, _ = K.softmax_loss_forward(prob, bottoms[1].data.reshape(outer, inner), self.normalization.ignore)
        divisor = self.normalization.divisor(outer, inner, valid)
        ctx.workspace["divisor"][...] = divisor
        tops[0].data[...] = total / divisor
        if len(tops) > 1:
            tops[1].data[...] = ctx.workspace["prob"]

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            prob = as_three(ctx.workspace["prob"], self.options.axis)
            labels = bottoms[1].data.reshape(prob.shape[0], prob.shape[2])
            scale = float(tops[0].diff) / float(ctx.workspace["divisor"])
            K.softmax_loss_backward(prob, labels, self.normalization.ignore, scale,
                                    as_three(bottoms[0].diff, self.options.axis))
