"""InfogainLoss: classification in which some mistakes cost more than others."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.config import blobproto, paths
from netdef.config.wire import WireError
from netdef.errors import ConfigError, FieldError
from netdef.layers import targets
from netdef.layers.base import Array, Inferred, Layer, LayerSpec, Shape, between, check_axis
from netdef.layers.losses import Normalization, check_first_axes, check_label_count, check_labels
from netdef.layers.registry import register
from netdef.layers.softmax import as_three

SMALLEST = 1e-20  # Caffe's kLOG_THRESHOLD: -log of it is 46.0517


@register("InfogainLoss")
class InfogainLoss(Layer):
    r"""Softmax and a cross-entropy with a price H[l, c] for each pair of true class l and predicted class c, in one.

    Formula: p = softmax(x);  y = -1/Z sum over places and classes of H[label, c] log max(p_c, 1e-20);
    dx_c = w / Z (p_c sum over k of H[label, k] - H[label, c]) with the loss weight w. Places whose label is
    ``ignore_label`` count in neither. Z as for SoftmaxWithLoss: VALID by default; the legacy ``normalize`` is refused.
    With the identity for H this is SoftmaxWithLoss.

    Shapes: scores (N, C, ...), labels with one value for each place, (N) or (N, 1, ...) or (N, ...), and H of C x C
    values, its last two axes (C, C) and any before them 1: the third bottom, or the binaryproto file ``source``. C is
    ``infogain_loss_param { axis }``, default 1. Top: a scalar (); a second top gets the probabilities and passes no
    gradient down. Labels and H get no gradient.

    Numerical care: the gradient goes through the softmax without dividing by p, so that it stays right where p is 0; the
    clamp at 1e-20 holds a price's log to 46.0517. H is taken as it is: large prices want a smaller learning rate. A
    label that is no class is an error.

    Source: BVLC Caffe, infogain_loss_layer.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "label" top: "H"
                input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } shape { dim: 3 dim: 3 } } }
        layer { name: "loss" type: "InfogainLoss" bottom: "score" bottom: "label" bottom: "H" top: "loss" }
    """

    options_field = "infogain_loss_param"
    bottoms = between(2, 3)
    tops = between(1, 2)
    differentiable = (True, False)
    is_loss = True
    backward_reads = frozenset({"bottoms"})

    def __init__(self, spec):
        super().__init__(spec)
        targets.refuse(spec, "normalize", "label_smoothing", "class_weight")
        self.normalization = Normalization.read(spec, "VALID")
        self.prices = None if spec.num_bottoms > 2 else read_prices(spec)

    def infer(self, bottom_shapes):
        scores, labels = (tuple(s) for s in bottom_shapes[:2])
        axis = check_axis(self.spec, self.options.axis, len(scores))
        check_first_axes(self.spec, scores, labels)
        check_label_count(self.spec, scores, labels, axis)
        self._check_prices(tuple(bottom_shapes[2]) if self.prices is None else self.prices.shape, scores[axis])
        return Inferred(tops=[(), scores][: self.spec.num_tops], scratch={"terms": Array(scores)},
                        workspace={"prob": Array(scores), "target": Array(scores), "divisor": Array((), "float64")})

    def _check_prices(self, shape: Shape, classes: int) -> None:
        if shape[-2:] == (classes, classes) and math.prod(shape[:-2]) == 1:
            return
        text = f"expected H of shape {(classes, classes)} for {classes} classes, got"
        if self.prices is None:
            raise self.spec.shape_error(f"{text} '{self.spec.message.bottom[2]}' of shape {shape}", 2)
        raise self.spec.shape_error(f"{text} '{self.options.source}' of shape {shape}", None, "source")

    def forward(self, ctx, bottoms, params, tops):
        prob, target, terms = (as_three(a, self.options.axis) for a in (
            ctx.workspace["prob"], ctx.workspace["target"], ctx.scratch["terms"]))
        outer, classes, inner = prob.shape
        ignore = self.normalization.ignore
        check_labels(self.spec, bottoms[1].data, classes, ignore)
        labels = bottoms[1].data.reshape(outer, inner)
        counts = np.ones(labels.shape, bool) if ignore is None else labels != ignore
        prices = (bottoms[2].data if self.prices is None else self.prices).reshape(classes, classes)
        if target.size:
            target[...] = prices[np.where(counts, labels, 0).astype(np.int64)].transpose(0, 2, 1)
            np.copyto(target, 0, where=~counts[:, None, :])
        K.softmax_forward(as_three(bottoms[0].data, self.options.axis), prob)
        divisor = self.normalization.divisor(outer, inner, int(counts.sum()))
        ctx.workspace["divisor"][...] = divisor
        tops[0].data[...] = targets.loss(prob, target, SMALLEST, terms) / divisor
        if len(tops) > 1:
            tops[1].data[...] = ctx.workspace["prob"]

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            prob, target, dx = (as_three(a, self.options.axis) for a in (
                ctx.workspace["prob"], ctx.workspace["target"], bottoms[0].diff))
            targets.gradient(prob, target, float(tops[0].diff) / float(ctx.workspace["divisor"]), dx)


def read_prices(spec: LayerSpec) -> np.ndarray:
    """H from the binaryproto file ``source``. Raises FieldError where it is missing or cannot be read."""
    if not spec.options.source:
        raise spec.error("missing; expected a binaryproto file with H, or H as the third bottom", "source")
    try:
        path = paths.resolve(spec.options.source, spec.located.file)
        data = memoryview(path.read_bytes())
        return blobproto.decode(data, 0, len(data)).array.astype(np.float64)
    except ConfigError as e:
        raise FieldError(f"{spec.who}: source: {e.message}", where=spec.option_span("source"), hint=e.hint) from e
    except (OSError, WireError) as e:
        raise spec.error(f"'{spec.options.source}' is no binaryproto file with one blob: {e}", "source") from e
