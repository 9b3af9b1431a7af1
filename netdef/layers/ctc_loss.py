"""CtcLoss, and what goes with it: ContinuationIndicator and LabelsequenceAccuracy."""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Array, Inferred, Layer, LayerSpec, Shape, exactly
from netdef.layers.constraints import Constraint, positive
from netdef.layers.losses import check_labels
from netdef.layers.registry import register


def check_sequences(spec: LayerSpec, labels: Shape, items: int) -> None:
    """Raise ShapeError unless labels are (N, L) for this many sequences."""
    if len(labels) < 2 or labels[0] != items:
        raise spec.shape_error(f"expected labels of shape ({items}, L), a row for each sequence, got {labels}", 1)


def compact(labels: np.ndarray, blank: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N, ...) without blanks: int32 (N, L), and how many of each row count (N)."""
    rows = labels.reshape(len(labels), math.prod(labels.shape[1:])).astype(np.int32)
    order = np.argsort(rows == blank, axis=1, kind="stable")
    return np.take_along_axis(rows, order, axis=1), (rows != blank).sum(axis=1).astype(np.int32)


@register("CtcLoss")
class CtcLoss(Layer):
    r"""Teaches a net to spell sequences without being told which frame says which symbol.

    Formula: p = softmax(x) in each frame; a reading says one symbol or the blank a frame, and spells a sequence if that is what
    is left when repeats are taken as one and blanks are dropped. y = -1/N sum over the batch of log of the summed probability
    of all readings that spell the label; dx = w / N (p - q), where q[t, c] is the share of those readings that say c in
    frame t, with the loss weight w.

    Shapes: scores (T, N, C), C being ``alphabet_size``; labels (N, L), filled up with ``blank_label``. Top: a scalar ().
    Labels get no gradient.

    Numerical care: logarithms in double throughout, so that long sequences do not vanish. A label that cannot be spelt in
    ``time_step`` frames (each symbol needs one, and a symbol twice in a row a blank between) counts 0 and teaches nothing,
    as in warpctc; a warning says so. A label that is no symbol is an error.

    Source: Graves, Fernandez, Gomez and Schmidhuber, Connectionist Temporal Classification, ICML 2006; warpctc's fork of
    Caffe, whose files give its options number 200.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "label"
                input_param { shape { dim: 6 dim: 2 dim: 5 } shape { dim: 2 dim: 3 } } }
        layer { name: "loss" type: "CtcLoss" bottom: "score" bottom: "label" top: "loss"
                ctc_loss_param { alphabet_size: 5 time_step: 6 blank_label: 4 } }
    """

    options_field = "ctc_loss_param"
    bottoms = exactly(2)
    differentiable = (True, False)
    is_loss = True
    backward_reads = frozenset()
    constraints = {"alphabet_size": positive(required=True), "time_step": positive(required=True),
                   "blank_label": Constraint(low=0)}

    def __init__(self, spec):
        super().__init__(spec)
        o = self.options
        for name in ("blank_index", "output_delay", "preprocess_collapse_repeated", "ctc_merge_repeated"):
            if spec.has(name):
                raise spec.error("is an option of CTCLoss and WarpCTCLoss, not of this type", name)
        if o.blank_label >= o.alphabet_size:
            raise spec.error(f"expected one of the {o.alphabet_size} symbols, 0 to {o.alphabet_size - 1}, got {o.blank_label}",
                             "blank_label")

    def infer(self, bottom_shapes):
        o, scores = self.options, tuple(bottom_shapes[0])
        if len(scores) < 3 or math.prod(scores[2:]) != o.alphabet_size:
            raise self.spec.shape_error(f"expected scores of shape (T, N, {o.alphabet_size}), alphabet_size at the end, got "
                                        f"{scores}", 0)
        if o.time_step > scores[0]:
            raise self.spec.shape_error(f"expected at most the {scores[0]} frames of '{self.spec.message.bottom[0]}', got "
                                        f"{o.time_step}", 0, "time_step")
        check_sequences(self.spec, tuple(bottom_shapes[1]), scores[1])
        return Inferred(tops=[()], workspace={"slope": Array(scores)})

    def forward(self, ctx, bottoms, params, tops):
        o, labels = self.options, bottoms[1].data
        check_labels(self.spec, labels, o.alphabet_size, None)
        frames, items = o.time_step, bottoms[0].shape[1]
        x = bottoms[0].data[:frames].reshape(frames, items, o.alphabet_size).astype(np.float64)
        logp = x - x.max(axis=2, keepdims=True)
        logp -= np.log(np.exp(logp).sum(axis=2, keepdims=True))
        losses, posterior = np.empty(items), np.empty(logp.shape)
        K.ctc(logp, *compact(labels, o.blank_label), o.blank_label, losses, posterior)
        fits = ~np.isinf(losses)
        if not fits.all():
            self.spec.warn(f"a label cannot be spelt in {frames} frames; it counts 0", "time_step")
        tops[0].data[...] = losses[fits].sum() / max(1, items)
        slope = ctx.workspace["slope"]
        slope[...] = 0
        slope[:frames].reshape(logp.shape)[...] = np.where(fits[:, None], np.exp(logp) - posterior, 0) / max(1, items)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            np.multiply(ctx.workspace["slope"], tops[0].diff, out=bottoms[0].diff)


@register("ContinuationIndicator")
class ContinuationIndicator(Layer):
    r"""Says where sequences begin, for a recurrent layer: 0 in the first frame, 1 in all others.

    Formula: y[t, n] = 0 for t = 0, else 1. There is no gradient.

    Shapes: no bottoms; top (time_step, batch_size).

    Numerical care: none.

    Source: warpctc's fork of Caffe (xmfbit/warpctc-caffe), whose files give its options number 201.

    Example::

        layer { name: "cont" type: "ContinuationIndicator" top: "cont"
                continuation_indicator_param { time_step: 6 batch_size: 2 } }
    """

    options_field = "continuation_indicator_param"
    bottoms = exactly(0)
    backward_reads = frozenset()
    constraints = {"time_step": positive(required=True), "batch_size": positive(required=True)}

    def infer(self, bottom_shapes):
        return Inferred(tops=[(self.options.time_step, self.options.batch_size)])

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = 1
        tops[0].data[0] = 0


@register("LabelsequenceAccuracy")
class LabelsequenceAccuracy(Layer):
    r"""The share of sequences that are read right as a whole, by the best symbol of each frame.

    Formula: in each frame the symbol with the largest score (the first of several); repeats are taken as one, blanks dropped;
    y = the number of sequences that equal their label without blanks / N.

    Shapes: scores (N, T, C), the batch first, unlike in CtcLoss: put a Permute between; labels (N, L), filled up with
    ``blank_label``. Top: a scalar (). There is no gradient.

    Numerical care: the best symbol of each frame is not always the most likely sequence, but near it. An empty batch gives 0.

    Source: Graves, Fernandez, Gomez and Schmidhuber, Connectionist Temporal Classification, ICML 2006 (best path decoding);
    warpctc's fork of Caffe, whose files give its options number 203.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "label"
                input_param { shape { dim: 2 dim: 6 dim: 5 } shape { dim: 2 dim: 3 } } }
        layer { name: "right" type: "LabelsequenceAccuracy" bottom: "score" bottom: "label" top: "right"
                labelsequence_accuracy_param { blank_label: 4 } }
    """

    options_field = "labelsequence_accuracy_param"
    bottoms = exactly(2)
    differentiable = False
    backward_reads = frozenset()

    def infer(self, bottom_shapes):
        scores = tuple(bottom_shapes[0])
        if len(scores) < 3 or 0 in scores[2:]:
            raise self.spec.shape_error(f"expected scores of shape (N, T, C), got {scores}", 0)
        check_sequences(self.spec, tuple(bottom_shapes[1]), scores[0])
        return Inferred(tops=[()])

    def forward(self, ctx, bottoms, params, tops):
        scores, blank = bottoms[0].data, self.options.blank_label
        said = scores.reshape(*scores.shape[:2], math.prod(scores.shape[2:])).argmax(axis=2)
        labels, lengths = compact(bottoms[1].data, blank)
        right = 0
        for frames, label, length in zip(said, labels, lengths, strict=True):
            begins = np.diff(frames, prepend=blank) != 0
            read = frames[begins & (frames != blank)]
            right += np.array_equal(read, label[:length])
        tops[0].data[...] = right / max(1, len(said))
