"""CTCLoss and WarpCTCLoss: connectionist temporal classification for sequences of unequal lengths."""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from netdef import kernels as K
from netdef.errors import DataError
from netdef.layers import targets
from netdef.layers.base import Array, Inferred, Layer, Shape, between
from netdef.layers.constraints import not_negative
from netdef.layers.losses import Normalization
from netdef.layers.registry import register

OTHERS = ("alphabet_size", "time_step", "blank_label")  # options of CtcLoss


class Sequences(NamedTuple):
    """How many frames each sequence has (N), and its labels as classes."""

    frames: np.ndarray
    labels: list[np.ndarray]


class CtcOverLengths(Layer):
    """What both types have in common: bottoms that say how long each sequence is, and one mean."""

    options_field = "ctc_loss_param"
    bottoms = between(2, 4)
    differentiable = (True, False)
    is_loss = True
    backward_reads = frozenset()
    constraints = {"output_delay": not_negative()}
    normal = "BATCH_SIZE"  # the default of loss_param { normalization }

    def __init__(self, spec):
        super().__init__(spec)
        self.normalization = Normalization.read(spec, self.normal)
        targets.refuse(spec, "ignore_label", "label_smoothing", "class_weight")
        for name in OTHERS:
            if spec.has(name):
                raise spec.error("is an option of CtcLoss, not of this type", name,
                                 "blank_index names the blank" if name == "blank_label" else "the bottoms' shapes say it")
        if not self.options.ctc_merge_repeated:
            raise spec.error("expected true, which is all that is known here", "ctc_merge_repeated")

    def infer(self, bottom_shapes):
        scores, *others = (tuple(s) for s in bottom_shapes)
        if len(scores) < 3 or not math.prod(scores[2:]):
            raise self.spec.shape_error(f"expected scores of shape (T, N, C), got {scores}", 0)
        frames, items, classes = scores[0], scores[1], math.prod(scores[2:])
        if self.options.blank_index >= classes:
            raise self.spec.error(f"expected one of the {classes} classes, 0 to {classes - 1}, got {self.options.blank_index}",
                                  "blank_index")
        if len(others) == 1:
            self._check(others[0], 1, items, f"labels of shape ({items}, L), a row for each sequence", axis=0)
        elif len(others) == 2:
            self._check(others[0], 1, items, f"indicators of shape ({frames}, {items}), 0 in the first frame of each sequence",
                        frames)
        else:
            for i, what in ((0, "number of frames"), (1, "length of the label")):
                if math.prod(others[i]) != items:
                    raise self.spec.shape_error(f"expected one {what} for each of the {items} sequences, got {others[i]}", i + 1)
        if len(others) > 1:
            self._check(others[-1], len(others), items, f"labels of shape (L, {items}), a column for each sequence")
        return Inferred(tops=[()], workspace={"slope": Array(scores)})

    def _check(self, shape: Shape, bottom: int, items: int, expected: str, frames: int | None = None, axis: int = 1) -> None:
        plain = len(shape) > 1 and math.prod(shape[2:]) == 1 and shape[axis] == items
        if not plain or frames not in (None, shape[0]):
            raise self.spec.shape_error(f"expected {expected}, got {shape}", bottom)

    def forward(self, ctx, bottoms, params, tops):
        x = bottoms[0].data
        x = x.reshape(x.shape[0], x.shape[1], math.prod(x.shape[2:])).astype(np.float64)
        blank, delay = self._blank(x.shape[2]), self._delay()
        found = self._sequences([b.data for b in bottoms[1:]], x.shape[0], x.shape[2], blank)
        logp = x - x.max(axis=2, keepdims=True)
        logp -= np.log(np.exp(logp).sum(axis=2, keepdims=True))
        losses, slope = np.zeros(x.shape[1]), np.zeros(x.shape)
        for length in np.unique(found.frames[found.frames > delay]):  # K.ctc takes sequences of one length
            items = np.flatnonzero(found.frames == length)
            part = np.ascontiguousarray(logp[delay:length, items])
            lengths = np.array([len(found.labels[n]) for n in items], np.int32)
            rows = np.full((len(items), max(1, lengths.max())), blank, np.int32)
            for row, n in zip(rows, items, strict=True):
                row[: len(found.labels[n])] = found.labels[n]
            cost, posterior = np.empty(len(items)), np.empty(part.shape)
            K.ctc(part, rows, lengths, blank, cost, posterior)
            losses[items] = cost
            slope[delay:length, items] = np.where(np.isinf(cost)[:, None], 0, np.exp(part) - posterior)
        short = np.array([len(label) > 0 for label in found.labels], bool) & (found.frames <= delay)
        losses[short] = np.inf
        fits = ~np.isinf(losses)
        if not fits.all():
            self.spec.warn("a label cannot be spelt in the frames of its sequence; it counts 0")
        divisor = self.normalization.divisor(x.shape[1], 1, int(fits.sum()))
        tops[0].data[...] = losses[fits].sum() / divisor
        ctx.workspace["slope"][...] = (slope / divisor).reshape(bottoms[0].shape)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            np.multiply(ctx.workspace["slope"], tops[0].diff, out=bottoms[0].diff)

    def _blank(self, classes: int) -> int:
        given = self.options.blank_index
        return int(given) if given >= 0 else classes - 1

    def _delay(self) -> int:
        return int(self.options.output_delay)

    def _shift(self) -> int:
        """What is added to a label to get its class."""
        return 0

    def _sequences(self, others: list[np.ndarray], frames: int, classes: int, blank: int) -> Sequences:
        """From the bottoms behind the scores. Raises DataError for a label or a length that cannot be."""
        rows, columns = others[-1].shape[0], others[-1].shape[1]
        given = others[-1].reshape(rows, columns)
        given = given if len(others) == 1 else given.T
        items = len(given)
        all_frames = np.full(items, frames)
        if len(others) == 1:
            labels = [row[row != blank] for row in given]
        elif len(others) == 2:
            begins = others[0].reshape(frames, items)[1:] < 0.5
            all_frames = np.where(begins.any(axis=0), begins.argmax(axis=0) + 1, frames) if frames > 1 else all_frames
            labels = [row[: _end((row < 0) | (row + self._shift() == blank))] for row in given]
            all_frames[[len(label) == 0 for label in labels]] = 0
        else:
            all_frames = self._lengths(others[0], 1, frames, "frames")
            labels = [row[:n] for row, n in zip(given, self._lengths(others[1], 2, given.shape[1], "symbols"), strict=True)]
        return Sequences(all_frames, [self._classes(n, label, classes, blank, len(others)) for n, label in enumerate(labels)])

    def _lengths(self, data: np.ndarray, bottom: int, most: int, what: str) -> np.ndarray:
        lengths = data.reshape(-1)
        good = (lengths >= 0) & (lengths <= most)
        if not good.all():
            n = int(np.argmin(good))
            raise self._data_error(bottom, n, f"expected 0 to {most} {what}, got {lengths[n]:g}")
        return (lengths + 0.5).astype(int)

    def _classes(self, item: int, label: np.ndarray, classes: int, blank: int, bottom: int) -> np.ndarray:
        values = label + self._shift()
        bad = (values < 0) | (values >= classes) | (np.floor(values) != values) | (values == blank)
        if bad.any():
            raise self._data_error(bottom, item, f"expected labels that are classes, 0 to {classes - self._shift() - 1}, without "
                                   f"the blank, got {label[int(np.argmax(bad))]:g}")
        values = values.astype(np.int32)
        return values[np.diff(values, prepend=-1) != 0] if self._collapses() else values

    def _collapses(self) -> bool:
        return bool(self.options.preprocess_collapse_repeated)

    def _data_error(self, bottom: int, item: int, text: str) -> DataError:
        error = DataError(f"{self.spec.who}: blob '{self.spec.message.bottom[bottom]}', sequence {item}: {text}",
                          where=self.spec.span("bottom", bottom))
        error.item = item
        return error


def _end(over: np.ndarray) -> int:
    """How many symbols stand before the first one that ends the label."""
    return int(np.argmax(over)) if over.any() else len(over)


@register("CTCLoss")
class CTCLoss(CtcOverLengths):
    r"""Teaches a net to spell sequences of unequal lengths without being told which frame says which symbol.

    Formula: p = softmax(x) in each frame; a reading says one symbol or the blank a frame, and spells a sequence if that is what
    is left when repeats are taken as one and blanks are dropped. y = -1/Z sum over the sequences of log of the summed
    probability of all readings of their frames that spell the label; dx = w / Z (p - q), where q[t, c] is the share of those
    readings that say c in frame t, with the loss weight w; 0 in frames that do not count.
    Z by ``loss_param { normalization }``: BATCH_SIZE (default) and FULL N, VALID the sequences whose label can be spelt,
    PRE_FIXED the number ``pre_fixed_normalizer``, NONE 1; at least 1.

    Shapes: scores (T, N, C) or (T, N, C, 1), and either
    labels (N, L), filled up with the blank, all frames counting; or
    indicators (T, N), a sequence ending before its next 0, and labels (L, N), each ending before a negative number or the blank,
    where one without a label counts 0; or
    numbers of frames (N), lengths of labels (N), and labels (L, N).
    Labels are classes. Top: a scalar (). Only the scores get a gradient.

    Numerical care: logarithms in double throughout. A label that cannot be spelt in its frames counts 0 and teaches nothing; a
    warning says so (the fork ends the program, or goes on with infinity). The fork divides the loss it prints by N, but not its
    gradient, which does not know the loss weight either: ``normalization: NONE`` trains with that gradient.

    Source: Graves, Fernandez, Gomez and Schmidhuber, Connectionist Temporal Classification, ICML 2006; the layer of ChWick's
    fork of Caffe (3 bottoms), whose files give its options number 148.

    Example::

        layer { name: "data" type: "Input" top: "score" top: "continues" top: "label"
                input_param { shape { dim: 6 dim: 2 dim: 5 } shape { dim: 6 dim: 2 } shape { dim: 3 dim: 2 } } }
        layer { name: "loss" type: "CTCLoss" bottom: "score" bottom: "continues" bottom: "label" top: "loss"
                ctc_loss_param { blank_index: 4 } }
    """


@register("WarpCTCLoss")
class WarpCTCLoss(CtcOverLengths):
    r"""Teaches a net to spell sequences of unequal lengths, with the conventions of the warp-ctc library.

    Formula: p, q and readings as for CTCLoss: y = -1/Z sum over the sequences of log of the summed probability of all readings of
    their frames that spell the label; dx = w / Z (p - q), 0 in frames that do not count.
    Z by ``loss_param { normalization }``: VALID (default) the sequences whose label can be spelt, BATCH_SIZE and FULL N,
    PRE_FIXED the number ``pre_fixed_normalizer``, NONE 1; at least 1.

    Shapes: scores (T, N, C) or (T, N, C, 1), and either
    labels (N, L), filled up with the blank, all frames counting; or
    indicators (T, N), a sequence ending before its next 0, and labels (L, N), each ending before a negative number, where one
    without a label counts 0; or
    numbers of frames (N), lengths of labels (N), and labels (L, N).
    With ``blank_index`` labels are classes. Without it the blank is class 0, and in labels behind indicators symbol k is class
    k + 1. Top: a scalar (). Only the scores get a gradient.

    Numerical care: as for CTCLoss. The fork's gradient is not divided by anything and does not know the loss weight:
    ``normalization: NONE`` trains with that gradient. One fork (caffe-ocr) shifts labels behind indicators for
    ``blank_index: 0``, too: leave that out there.

    Source: Graves, Fernandez, Gomez and Schmidhuber, Connectionist Temporal Classification, ICML 2006; the layer of ChWick's
    fork of Caffe (3 or 4 bottoms), whose files give its options number 148, and of forks of that one (2 bottoms).

    Example::

        layer { name: "data" type: "Input" top: "score" top: "frames" top: "length" top: "label"
                input_param { shape { dim: 6 dim: 2 dim: 5 } shape { dim: 2 } shape { dim: 2 } shape { dim: 3 dim: 2 } } }
        layer { name: "loss" type: "WarpCTCLoss" bottom: "score" bottom: "frames" bottom: "length" bottom: "label" top: "loss"
                ctc_loss_param { blank_index: 4 } }
    """

    normal = "VALID"

    def __init__(self, spec):
        super().__init__(spec)
        for name in ("output_delay", "preprocess_collapse_repeated"):
            if spec.has(name):
                spec.warn("has no effect in this type", name)

    def _blank(self, classes: int) -> int:
        return max(0, int(self.options.blank_index))

    def _shift(self) -> int:
        return int(self.options.blank_index < 0 and self.spec.num_bottoms == 3)

    def _delay(self) -> int:
        return 0

    def _collapses(self) -> bool:
        return False
