"""DetectionOutput: from a detector's numbers to boxes."""
from __future__ import annotations

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer, LayerSpec, between
from netdef.layers.constraints import Constraint, not_negative, positive
from netdef.layers.detections import FOUND, check_predictions, priors_of, split_priors
from netdef.layers.registry import register

NOT_HERE = ("save_output_param", "visualize", "save_file")


@register("DetectionOutput")
class DetectionOutput(Layer):
    r"""Moves default boxes as the net says, and keeps for each class those that lie on no better one.

    Formula: default box p with variances v and numbers t gives, by ``code_type``: CORNER p + v t; CENTER_SIZE the centre +
    v t size and the size exp(v t); CORNER_SIZE p + v t size (v = 1 with ``variance_encoded_in_target``). For each class
    but ``background_label_id``: the ``top_k`` boxes with the best scores above ``confidence_threshold``, best first; a
    box stays if its overlap (intersection over union) with each one that stays is at most ``nms_threshold``. Of all that
    stay in an image, the ``keep_top_k`` with the best scores are kept.

    Shapes: places (N, P 4), or (N, P C 4) without ``share_location``; scores (N, P C), C being ``num_classes``; default
    boxes (1, 2, P 4); optionally a picture, which is not looked at. Top: (1, 1, K, 7) with rows (image, class, score,
    xmin, ymin, xmax, ymax), by image, class and falling score; known only after forward. Where nothing is found there is
    a row for each image: its number and six times -1. There is no gradient.

    Numerical care: scores are taken as they are, so a Softmax belongs before this layer. Corners are shares of the
    picture's size and may lie outside it. Of equal scores the earlier box comes first; a NaN is never above a threshold.

    Source: Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016; SSD's Caffe (weiliu89/caffe, branch ssd), whose
    files give its options number 204.

    Example::

        layer { name: "data" type: "Input" top: "places" top: "scores" top: "priors" input_param {
                shape { dim: 1 dim: 24 } shape { dim: 1 dim: 18 } shape { dim: 1 dim: 2 dim: 24 } } }
        layer { name: "found" type: "DetectionOutput" bottom: "places" bottom: "scores" bottom: "priors" top: "found"
                detection_output_param { num_classes: 3 code_type: CENTER_SIZE confidence_threshold: 0.5 keep_top_k: 10
                                         nms_param { nms_threshold: 0.45 top_k: 100 } } }
    """

    options_field = "detection_output_param"
    bottoms = between(3, 4)
    differentiable = False
    backward_reads = frozenset()
    dynamic = True
    constraints = {"num_classes": positive(required=True), "keep_top_k": Constraint(low=-1),
                   "background_label_id": Constraint(low=-1)}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        o = self.options
        check_suppression(spec)
        self.top_k = o.nms_param.top_k if o.nms_param.HasField("top_k") else -1
        self.least = o.confidence_threshold if spec.has("confidence_threshold") else -np.inf
        self.sets = 1 if o.share_location else o.num_classes
        for option in NOT_HERE:
            if spec.has(option):
                spec.warn("has no effect here", option, "netdef predict --annotate draws boxes")

    def infer(self, bottom_shapes):
        o, places = self.options, tuple(bottom_shapes[0])
        boxes = priors_of(self.spec, tuple(bottom_shapes[2]), 2)
        check_predictions(self.spec, places, 0, boxes, self.sets * 4, "places")
        check_predictions(self.spec, tuple(bottom_shapes[1]), 1, boxes, o.num_classes, "scores")
        most = boxes * max(1, o.num_classes - (0 <= o.background_label_id < o.num_classes))
        if o.keep_top_k >= 0:
            most = min(most, o.keep_top_k)
        return Inferred(tops=[(1, 1, places[0] * max(1, most), FOUND)])

    def forward(self, ctx, bottoms, params, tops):
        o = self.options
        priors, variances = split_priors(bottoms[2].data)
        items, count = bottoms[0].shape[0], len(priors)
        scores = bottoms[1].data.reshape(items, count, o.num_classes)
        image, label, box, starts = self._candidates(scores)
        score = scores[image, box, label]
        boxes = self._decode(bottoms[0].data.reshape(items, count, self.sets, 4)[image, box, 0 if self.sets == 1 else label],
                             priors[box], variances[box])
        keep = np.zeros(len(box), np.uint8)
        K.nms(boxes, np.arange(len(box), dtype=np.int32), starts, o.nms_param.nms_threshold, o.nms_param.eta, keep)
        at = self._best_of_each_image(image, score, np.flatnonzero(keep))
        found = np.empty((len(at) or items, FOUND), boxes.dtype)
        if len(at):
            found[:, 0], found[:, 1], found[:, 2], found[:, 3:] = image[at], label[at], score[at], boxes[at]
        else:
            found[...] = -1
            found[:, 0] = np.arange(items)
        tops[0].reshape(1, 1, len(found), FOUND)
        tops[0].data[...] = found

    def _candidates(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Image, class and box of the ``top_k`` best scores above the threshold of each image and class, best first in each;
        and where each of these groups begins (one number more than there are groups)."""
        image, label, box, starts = [], [], [], [0]
        for n, of_item in enumerate(scores):
            for c in range(scores.shape[2]):
                if c == self.options.background_label_id:
                    continue
                own = np.flatnonzero(of_item[:, c] > self.least)
                low = -of_item[own, c]
                if 0 < self.top_k < len(own):  # leave out what is not among them before the rest is sorted
                    near = low <= np.partition(low, self.top_k - 1)[self.top_k - 1]
                    own, low = own[near], low[near]
                own = own[np.argsort(low, kind="stable")]  # of equal scores the earlier box
                own = own[: self.top_k] if self.top_k >= 0 else own
                box.append(own)
                image.append(np.full(len(own), n))
                label.append(np.full(len(own), c))
                starts.append(starts[-1] + len(own))
        if not box:  # no images, or no classes of things
            image, label, box = ([np.zeros(0, np.int64)] for _ in range(3))
        return np.concatenate(image), np.concatenate(label), np.concatenate(box), np.array(starts, np.int32)

    def _decode(self, numbers: np.ndarray, priors: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """The boxes (M, 4) of as many numbers, default boxes and variances."""
        if self.options.variance_encoded_in_target:
            variances = np.ones_like(variances)
        made = np.empty((1, len(numbers), 1, 4), numbers.dtype)
        K.decode_boxes(numbers.reshape(made.shape), priors, variances, self.options.code_type, made)
        return made.reshape(-1, 4)

    def _best_of_each_image(self, image: np.ndarray, score: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Of the candidates ``at``, those that are among the ``keep_top_k`` best of their image, in the same order."""
        most = self.options.keep_top_k
        if most < 0 or not len(at) or np.bincount(image[at]).max() <= most:
            return at
        order = np.lexsort((-score[at], image[at]))
        rank = np.arange(len(at)) - np.searchsorted(image[at], image[at])  # image[at] rises, sorted or not
        return at[np.sort(order[rank < most])]


def check_suppression(spec: LayerSpec) -> None:
    """Raise FieldError unless ``nms_param`` has a threshold from 0 and an eta above 0 and up to 1."""
    nms = spec.options.nms_param
    for name, limit in (("nms_threshold", not_negative()), ("eta", Constraint(0, 1, low_open=True)),
                        ("top_k", Constraint(low=-1))):
        if not limit.allows(getattr(nms, name)):
            raise spec.error(f"{name}: expected {limit}, got {getattr(nms, name):g}", "nms_param")
