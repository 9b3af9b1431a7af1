"""MultiBoxLoss: the loss of SSD, of places and classes together."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from netdef import kernels as K
from netdef.layers import targets
from netdef.layers.base import Inferred, Layer, LayerSpec, exactly
from netdef.layers.constraints import Constraint, not_negative, positive
from netdef.layers.detection_output import check_suppression
from netdef.layers.detections import TRUTH, Truth, check_predictions, check_rows, priors_of, read_truth, split_priors
from netdef.layers.losses import Normalization
from netdef.layers.multibox_match import Matches, hardest, match, overlaps_of, sticks_out
from netdef.layers.registry import register

Array = np.ndarray

L2 = 0  # MultiBoxLossParameter.LocLossType
LOGISTIC = 1  # .ConfLossType
BIPARTITE = 0  # .MatchType
NONE, MAX_NEGATIVE, HARD_EXAMPLE = 0, 1, 2  # .MiningType


class Slopes(NamedTuple):
    """What backward needs: the derivatives of the summed losses, and where they belong."""

    loc_at: tuple[Array, ...]
    loc: Array
    conf_at: tuple[Array, ...]
    conf: Array
    divisor: int


@register("MultiBoxLoss")
class MultiBoxLoss(Layer):
    r"""Tells a detector for each default box whether there is a thing, of which class, and how to move the box onto it.

    Formula: y = (sum of conf losses + ``loc_weight`` sum of loc losses) / Z;  da = w loc_weight f'(t - t*) / Z for the
    places a of a match;  db = w (softmax(b) - 1[class]) / Z for the scores b of a box that counts, with the loss weight w.
    Matching: of each image the pair of default box and true box with the largest overlap (intersection over union),
    again and again until every true box has one; with PER_PREDICTION each other default box goes to the true box that
    it overlaps most, if by ``overlap_threshold`` or more.
    Loc loss of a match: f(t - t*) over its four numbers, where t* makes the true box (see DetectionOutput for the codes);
    f(d) = d^2 / 2 where |d| < 1, else |d| - 1/2, or d^2 / 2 for L2. Conf loss: -log softmax(x)_c with c the true box's
    class, or the background where there is no match; LOGISTIC: a cross-entropy for each class. With MAX_NEGATIVE only the
    matches count and, in each image, ``neg_pos_ratio`` times as many others, those with the largest loss among the ones
    that overlap no true box by ``neg_overlap``. HARD_EXAMPLE: of each image only the ``sample_size`` boxes with the largest
    loss of both kinds. Z by ``loss_param { normalization }``: VALID the matches (default), BATCH_SIZE the images, FULL all
    default boxes, NONE 1; never below 1.

    Shapes: places (N, P 4), or (N, P C 4) without ``share_location``; scores (N, P C), C being ``num_classes``; default
    boxes (1, 2, P 4); true boxes (1, 1, G, 8) with rows (image, class, instance, xmin, ymin, xmax, ymax, difficult), where
    rows of image -1 stand for nothing. Top: a scalar (). Default and true boxes get no gradient.

    Numerical care: which boxes match and count is taken as constant. Logs are taken of scores, not of rounded
    probabilities. Of equal losses the earlier box counts. Two of SSD's slips are not repeated: with
    ``encode_variance_in_target`` its gradient leaves out 1 / variance, and LOGISTIC without mining writes its targets to
    wrong places; here boxes without a match then have the background as target, as with mining.

    Source: Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016; SSD's Caffe (weiliu89/caffe, branch ssd), whose
    files give its options number 201.

    Example::

        layer { name: "data" type: "Input" top: "places" top: "scores" top: "priors" input_param {
                shape { dim: 2 dim: 24 } shape { dim: 2 dim: 18 } shape { dim: 1 dim: 2 dim: 24 } } }
        layer { name: "truth" type: "DummyData" top: "truth" dummy_data_param { shape { dim: 1 dim: 1 dim: 1 dim: 8 }
                data_filler { type: "values" values: [0, 2, 0, 0.1, 0.2, 0.6, 0.5, 0] } } }
        layer { name: "loss" type: "MultiBoxLoss" bottom: "places" bottom: "scores" bottom: "priors" bottom: "truth"
                top: "loss" multibox_loss_param { num_classes: 3 code_type: CENTER_SIZE } }
    """

    options_field = "multibox_loss_param"
    bottoms = exactly(4)
    differentiable = (True, True, False, False)
    is_loss = True
    backward_reads = frozenset()
    constraints = {"num_classes": positive(required=True), "neg_pos_ratio": not_negative(), "sample_size": positive(),
                   "overlap_threshold": Constraint(0, 1), "loc_weight": not_negative()}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        o = self.options
        targets.refuse(spec, "ignore_label", "label_smoothing", "class_weight")
        check_suppression(spec)
        self.normalization = Normalization.read(spec, "VALID")
        self.sets = 1 if o.share_location else o.num_classes
        if o.background_label_id >= o.num_classes:
            raise spec.error(f"expected a class from 0 to {o.num_classes - 1}, got {o.background_label_id}",
                             "background_label_id")
        if spec.has("do_neg_mining") and o.do_neg_mining != (o.mining_type != NONE):
            raise spec.error("disagrees with mining_type", "do_neg_mining", "remove it: mining_type says enough")
        if o.mining_type != NONE and not o.share_location:
            raise spec.error("needs share_location, as in SSD", "mining_type", "mining_type: NONE")
        if o.map_object_to_agnostic and o.num_classes != 2:
            raise spec.error(f"expected num_classes 2 (nothing and a thing), got {o.num_classes}", "map_object_to_agnostic")
        flags = list(spec.message.propagate_down)
        self.counts = (flags + [True, True][len(flags):])[:2]  # SSD leaves out the part whose bottom gets no gradient
        self.slopes: Slopes | None = None

    def why_constant(self, bottom):
        return "MultiBoxLoss takes default boxes and true boxes as constant"

    def infer(self, bottom_shapes):
        places, scores, priors, truth = (tuple(s) for s in bottom_shapes)
        boxes = priors_of(self.spec, priors, 2)
        check_predictions(self.spec, places, 0, boxes, self.sets * 4, "places")
        check_predictions(self.spec, scores, 1, boxes, self.options.num_classes, "scores")
        if places[0] != scores[0]:
            raise self.spec.shape_error(f"expected places and scores of as many images, got {places[0]} and {scores[0]}", 1)
        check_rows(self.spec, truth, 3, TRUTH)
        return Inferred(tops=[()])

    def forward(self, ctx, bottoms, params, tops):
        o = self.options
        priors, variances = split_priors(bottoms[2].data)
        items, boxes = bottoms[0].shape[0], len(priors)
        places = bottoms[0].data.reshape(items, boxes, self.sets, 4)
        scores = bottoms[1].data.reshape(items, boxes, o.num_classes)
        truth = read_truth(self.spec, bottoms[3].data, 3, 65536 if o.map_object_to_agnostic else o.num_classes,
                           o.background_label_id, items)
        if not o.use_difficult_gt:
            truth = truth.where(~truth.difficult)
        decoded = self._decoded(places, priors, variances)
        matched, best = self._match(priors, decoded, truth, items)
        pairs = self._pairs(matched, truth)
        with np.errstate(invalid="ignore", over="ignore"):  # numbers that are not finite give a loss that is not
            loc = self._loc_losses(places, priors, variances, truth, pairs, decoded)
            labels = np.full((items, boxes), o.background_label_id)
            labels[pairs.image, pairs.box] = o.background_label_id + 1 if o.map_object_to_agnostic else truth.label[pairs.truth]
            keep, counts = self._mine(scores, labels, matched, best, pairs, loc[0], priors, decoded)
            conf_at = np.nonzero(counts)
            conf, conf_slopes = conf_losses(scores[conf_at], labels[conf_at], o.conf_loss_type)
        divisor = self.normalization.divisor(items, boxes, int(keep.sum()))
        loc_at = (pairs.image[keep], pairs.box[keep], pairs.set[keep])
        self.slopes = Slopes(loc_at, o.loc_weight * loc[1][keep], conf_at, conf_slopes, divisor)
        total = (o.loc_weight * loc[0][keep].sum(dtype=np.float64) if self.counts[0] else 0.0)
        total += conf.sum(dtype=np.float64) if self.counts[1] else 0.0
        tops[0].data[...] = total / divisor

    def backward(self, ctx, tops, params, bottoms, need):
        s, o = self.slopes, self.options
        scale = float(tops[0].diff) / s.divisor
        for i, width, (at, slopes) in ((0, (self.sets, 4), (s.loc_at, s.loc)), (1, (o.num_classes,), (s.conf_at, s.conf))):
            if need.bottoms[i]:
                dx = bottoms[i].diff
                dx[...] = 0
                if self.counts[i]:
                    dx.reshape(len(dx), bottoms[2].count // 8, *width)[at] = slopes * scale

    def _decoded(self, places: Array, priors: Array, variances: Array) -> Array | None:
        """The boxes that the net makes (N, P, sets, 4), where an option wants them."""
        o = self.options
        if o.use_prior_for_matching and (o.use_prior_for_nms or not self._suppresses):
            return None
        decoded = np.empty_like(places)
        K.decode_boxes(places, priors, np.ones_like(variances) if o.encode_variance_in_target else variances, o.code_type,
                       decoded)
        return decoded

    @property
    def _suppresses(self) -> bool:
        return self.spec.has("nms_param") and self.options.nms_param.nms_threshold > 0

    def _match(self, priors: Array, decoded: Array | None, truth: Truth, items: int) -> tuple[Array, Array]:
        """Number of the true box (row of ``truth``) of each default box, -1 or less for none, (N, P, sets); and the largest
        overlap of each (N, P)."""
        o = self.options
        matched, best = np.full((items, len(priors), self.sets), -1), np.zeros((items, len(priors)))
        threshold = None if o.match_type == BIPARTITE else o.overlap_threshold
        for n in np.unique(truth.item):
            own = np.flatnonzero(truth.item == n)
            if o.use_prior_for_matching:
                made, best[n] = self._match_one(priors, truth.boxes[own], threshold)
                rows = np.where(made >= 0, own[np.maximum(made, 0)], made)
                for k in range(self.sets):
                    hers = o.share_location | (rows < 0) | (truth.label[rows] == k)
                    matched[n, :, k] = np.where(hers, rows, -1)
                continue
            assert decoded is not None
            for k in range(self.sets):
                hers = own if o.share_location else own[truth.label[own] == k]
                if len(hers):
                    made, best[n] = self._match_one(decoded[n, :, k], truth.boxes[hers], threshold)
                    matched[n, :, k] = np.where(made >= 0, hers[np.maximum(made, 0)], made)
        return matched, best

    def _match_one(self, boxes: Array, truths: Array, threshold: float | None) -> tuple[Array, Array]:
        out = sticks_out(boxes) if self.options.ignore_cross_boundary_bbox else np.zeros(len(boxes), bool)
        return match(overlaps_of(boxes, truths), out, threshold)

    @staticmethod
    def _pairs(matched: Array, truth: Truth) -> Matches:
        image, sets, box = np.nonzero(matched.transpose(0, 2, 1) >= 0)
        return Matches(image, box, sets, matched[image, box, sets])

    def _loc_losses(self, places: Array, priors: Array, variances: Array, truth: Truth, pairs: Matches,
                    decoded: Array | None) -> tuple[Array, Array]:
        """The loss of each match (M), and its derivatives by the four numbers (M, 4)."""
        o = self.options
        given, p, v = places[pairs.image, pairs.box, pairs.set], priors[pairs.box], variances[pairs.box]
        wanted = np.empty_like(given)
        K.encode_boxes(truth.boxes[pairs.truth], p, np.ones_like(v) if o.encode_variance_in_target else v, o.code_type, wanted)
        d = given - wanted
        if o.bp_inside:
            boxes = p if o.use_prior_for_matching or decoded is None else decoded[pairs.image, pairs.box, pairs.set]
            d[(boxes < 0) | (boxes > 1)] = 0
        unit = 1 / v if o.encode_variance_in_target else np.ones_like(v)
        d *= unit
        if o.loc_loss_type == L2:
            return (d * d / 2).sum(axis=1), d * unit
        near = np.abs(d) < 1
        return np.where(near, d * d / 2, np.abs(d) - 0.5).sum(axis=1), np.where(near, d, np.sign(d)) * unit

    def _mine(self, scores: Array, labels: Array, matched: Array, best: Array, pairs: Matches, loc: Array, priors: Array,
              decoded: Array | None) -> tuple[Array, Array]:
        """Which matches count (M), and which default boxes have a loss of classes (N, P); bools."""
        o = self.options
        keep = np.ones(len(loc), bool)
        if o.mining_type == NONE:
            return keep, np.ones(labels.shape, bool)
        counts = np.zeros(labels.shape, bool)
        for n in np.unique(pairs.image):
            own, state = np.flatnonzero(pairs.image == n), matched[n, :, 0]
            losses = conf_losses(scores[n], labels[n], o.conf_loss_type)[0]
            eligible = np.ones(len(state), bool)
            count = o.sample_size
            if o.mining_type == MAX_NEGATIVE:
                eligible = (state == -1) & (best[n] < o.neg_overlap)
                count = int(len(own) * o.neg_pos_ratio)
            else:
                losses[pairs.box[own]] += loc[own]
            picked = hardest(losses, eligible, count, *self._suppression(n, priors, decoded))
            if o.mining_type == HARD_EXAMPLE:
                keep[own] = picked[pairs.box[own]]
            counts[n] = picked & (state == -1)
            counts[n, pairs.box[own[keep[own]]]] = True
        return keep, counts

    def _suppression(self, n: int, priors: Array, decoded: Array | None) -> tuple[Any, ...]:
        """The arguments of ``hardest`` about it, if there is to be any."""
        if not self._suppresses:
            return ()
        nms = self.options.nms_param
        boxes = priors if self.options.use_prior_for_nms or decoded is None else decoded[n, :, 0]
        return boxes, nms.nms_threshold, nms.top_k if nms.HasField("top_k") else -1


def conf_losses(x: Array, labels: Array, kind: int) -> tuple[Array, Array]:
    """The loss of each box (B), and its derivatives by the scores x (B, C); ``labels`` (B) are classes."""
    x, own = np.ascontiguousarray(x.T), (labels, np.arange(len(x)))  # sums over the long axis are fast
    if kind == LOGISTIC:
        tail = np.log1p(np.exp(-np.abs(x)))
        losses = (np.maximum(x, 0) + tail).sum(axis=0) - x[own]
        slopes = np.exp(np.minimum(x, 0) - tail)  # the sigmoid, without overflow
    else:
        shifted = x - x.max(axis=0, initial=-np.inf)
        slopes = np.exp(shifted)
        total = slopes.sum(axis=0)
        losses = np.log(total) - shifted[own]
        slopes /= total
    slopes[own] -= 1
    return losses, slopes.T
