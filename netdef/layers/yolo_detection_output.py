"""YoloDetectionOutput and Yolov3DetectionOutput: from a YOLO net's maps to boxes."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netdef import kernels as K
from netdef.layers.base import Inferred, Layer, at_least, between
from netdef.layers.constraints import Constraint, not_negative, positive
from netdef.layers.detections import FOUND
from netdef.layers.registry import register

PLACE = 5  # x, y, w, h and the object's score stand before the classes' scores


class Found(NamedTuple):
    """Candidates of one map: their images (M), classes (M), scores (M) and boxes (M, 4) as corners."""

    image: np.ndarray
    label: np.ndarray
    score: np.ndarray
    box: np.ndarray


class YoloBoxes(Layer):
    """What both have in common; a subclass says which of a map's boxes are candidates, and their default sizes."""

    differentiable = False
    backward_reads = frozenset()
    dynamic = True
    per_box = 1  # candidates that one box can be

    def infer(self, bottom_shapes):
        o, boxes = self.options, 0
        for i, shape in enumerate(bottom_shapes):
            channels = o.num_box * (PLACE + o.num_classes)
            if len(shape) != 4 or shape[1] != channels or shape[0] != bottom_shapes[0][0]:
                raise self.spec.shape_error(f"expected maps of shape ({bottom_shapes[0][0]}, {channels}, H, W), {PLACE} + "
                                            f"num_classes {o.num_classes} numbers for each of {o.num_box} boxes, got "
                                            f"{tuple(shape)}", i)
            boxes += o.num_box * shape[2] * shape[3]
        items = bottom_shapes[0][0]
        return Inferred(tops=[(1, 1, items * max(1, boxes * self.per_box), FOUND)])

    def forward(self, ctx, bottoms, params, tops):
        boxes, numbers = self.options.num_box, PLACE + self.options.num_classes
        parts = [self._candidates(b.data.reshape(b.shape[0], boxes, numbers, *b.shape[2:]), i) for i, b in enumerate(bottoms)]
        found = Found(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        order = np.lexsort((-found.score, found.image))  # stable: of equal scores the earlier box
        keep = order[self._suppress(found.box, found.image, order)]
        items = bottoms[0].shape[0]
        rows = np.full((len(keep) or items, FOUND), -1, tops[0].data.dtype)
        if len(keep):
            rows[:, 0], rows[:, 1], rows[:, 2] = found.image[keep], found.label[keep] + 1, found.score[keep]
            rows[:, 3:] = found.box[keep]
        else:
            rows[:, 0] = np.arange(items)
        tops[0].reshape(1, 1, len(rows), FOUND)
        tops[0].data[...] = rows

    def _suppress(self, boxes: np.ndarray, image: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Which of the candidates in this order overlap no better one of their image, as bools."""
        keep = np.zeros(len(order), np.uint8)
        if len(order):
            starts = np.flatnonzero(np.diff(image[order], prepend=-1, append=-1)).astype(np.int32)
            real = boxes.dtype.type
            below = np.nextafter(real(self.options.nms_threshold), real(0))  # the kernel keeps equal ones, YOLO drops them
            K.nms(np.ascontiguousarray(boxes), order.astype(np.int32), starts, float(below), 1.0, keep)
        return keep.astype(bool)

    def _candidates(self, x: np.ndarray, bottom: int) -> Found:
        """The candidates of one map, (N, boxes, numbers, H, W)."""
        raise NotImplementedError


def decode(x: np.ndarray, sizes: np.ndarray, scale: int) -> np.ndarray:
    """Corners (N, boxes, H, W, 4) as shares of the picture, from maps (N, boxes, numbers, H, W).

    sizes (boxes, 2) are default widths and heights in units of which a cell has ``scale``.
    """
    height, width = x.shape[3:]
    with np.errstate(over="ignore"):  # numbers of a net that learns wildly
        middle_x = (np.arange(width, dtype=x.dtype) + logistic(x[:, :, 0])) / width
        middle_y = (np.arange(height, dtype=x.dtype)[:, None] + logistic(x[:, :, 1])) / height
        half_w = np.exp(x[:, :, 2]) * sizes[:, 0, None, None] / (2 * width * scale)
        half_h = np.exp(x[:, :, 3]) * sizes[:, 1, None, None] / (2 * height * scale)
    return np.stack([middle_x - half_w, middle_y - half_h, middle_x + half_w, middle_y + half_h], axis=-1)


def logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    out = np.empty_like(x)
    K.sigmoid_forward(np.ascontiguousarray(x), out)
    return out


@register("YoloDetectionOutput")
class YoloDetectionOutput(YoloBoxes):
    r"""Reads boxes from the last map of a YOLOv2 net, and keeps those that lie on no better one.

    Formula: box b of the cell in row j and column i, with numbers t: centre x = (i + s(t_0)) / W, y = (j + s(t_1)) / H, width
    exp(t_2) biases_2b / W, height exp(t_3) biases_2b+1 / H; s is the logistic function. Its class is the largest of softmax
    (t_5, ...), its score s(t_4) times that. Boxes with a score of at least ``confidence_threshold``, best first: one stays if
    its overlap (intersection over union) with each one that stays, of any class, is below ``nms_threshold``.

    Shapes: one or two maps (N, num_box * (5 + num_classes), H, W); two share the biases. Top: (1, 1, K, 7) with rows (image,
    class, score, xmin, ymin, xmax, ymax), by image and falling score; the classes count from 1. Known only after forward.
    Where nothing is found there is a row for each image: its number and six times -1. There is no gradient.

    Numerical care: corners are shares of the picture's size and may lie outside it. MobileNet-YOLO takes all images of a
    batch as one, with number 0; here each has its own. A NaN is never above a threshold.

    Source: Redmon and Farhadi, YOLO9000: Better, Faster, Stronger, CVPR 2017; MobileNet-YOLO's layer of this name.

    Example::

        layer { name: "data" type: "Input" top: "map" input_param { shape { dim: 1 dim: 14 dim: 3 dim: 3 } } }
        layer { name: "found" type: "YoloDetectionOutput" bottom: "map" top: "found" yolo_detection_output_param {
                num_classes: 2 num_box: 2 biases: 1.5 biases: 2 biases: 3 biases: 1 confidence_threshold: 0.2 } }
    """

    options_field = "yolo_detection_output_param"
    bottoms = between(1, 2)
    constraints = {"num_classes": positive(required=True), "num_box": positive(), "coords": Constraint(low=4, high=4),
                   "nms_threshold": not_negative()}

    def __init__(self, spec):
        super().__init__(spec)
        o = self.options
        if len(o.biases) != 2 * o.num_box:
            raise spec.error(f"expected 2 numbers for each of the {o.num_box} boxes, got {len(o.biases)}", "biases")
        if spec.has("label_map_file"):
            spec.warn("has no effect here", "label_map_file", "netdef predict takes names with --labels")

    def _candidates(self, x, bottom):
        biases = np.array(self.options.biases, x.dtype).reshape(-1, 2)
        prob = np.empty((x.shape[0] * x.shape[1], x.shape[2] - PLACE, x.shape[3] * x.shape[4]), x.dtype)
        K.softmax_forward(np.ascontiguousarray(x[:, :, PLACE:]).reshape(prob.shape), prob)
        prob = prob.reshape(*x.shape[:2], x.shape[2] - PLACE, *x.shape[3:])
        label = prob.argmax(axis=2)
        score = logistic(x[:, :, 4]) * prob.max(axis=2)
        return picked(score >= self.options.confidence_threshold, label, score, decode(x, biases, 1))


def picked(good: np.ndarray, label: np.ndarray, score: np.ndarray, boxes: np.ndarray) -> Found:
    """The places that are good, by image, cell and box; all are (N, boxes, H, W), boxes with 4 numbers at the end."""
    good, label, score = (np.moveaxis(a, 1, 3) for a in (good, label, score))
    return Found(np.nonzero(good)[0], label[good], score[good], np.moveaxis(boxes, 1, 3)[good])


@register("Yolov3DetectionOutput")
class Yolov3DetectionOutput(YoloBoxes):
    r"""Reads boxes from the maps of a YOLOv3 net, coarse and fine, and keeps those that lie on no better one.

    Formula: box b of the cell in row j and column i of map m, with numbers t: centre x = (i + s(t_0)) / W, y = (j + s(t_1)) /
    H, width exp(t_2) w / (W a), height exp(t_3) h / (H a); s is the logistic function, a the map's ``anchors_scale``, (w, h)
    the pair of ``biases`` that ``mask`` names for this map and box. The score of class c is s(t_4) s(t_5+c), and each class
    with a score above ``confidence_threshold`` is a candidate. Best first, one stays if its overlap (intersection over union)
    with each one that stays, of any class, is below ``nms_threshold``.

    Shapes: ``mask_group_num`` maps (N, num_box * (5 + num_classes), H, W). Top: (1, 1, K, 7) with rows (image, class, score,
    xmin, ymin, xmax, ymax), by image and falling score; the classes count from 1. Known only after forward. Where nothing is
    found there is a row for each image: its number and six times -1. There is no gradient.

    Numerical care: corners are shares of the picture's size and may lie outside it. MobileNet-YOLO takes all images of a
    batch as one, with number 0; here each has its own. A NaN is never above a threshold.

    Source: Redmon and Farhadi, YOLOv3: An Incremental Improvement, 2018; MobileNet-YOLO's layer of this name.

    Example::

        layer { name: "data" type: "Input" top: "coarse" top: "fine" input_param {
                shape { dim: 1 dim: 14 dim: 2 dim: 2 } shape { dim: 1 dim: 14 dim: 4 dim: 4 } } }
        layer { name: "found" type: "Yolov3DetectionOutput" bottom: "coarse" bottom: "fine" top: "found"
                yolov3_detection_output_param { num_classes: 2 num_box: 2 biases: [10, 14, 23, 27, 37, 58, 81, 82]
                                                mask: [2, 3, 0, 1] anchors_scale: [32, 16] confidence_threshold: 0.3 } }
    """

    options_field = "yolov3_detection_output_param"
    bottoms = at_least(1)
    constraints = {"num_classes": positive(required=True), "num_box": positive(), "nms_threshold": not_negative(),
                   "anchors_scale": positive()}

    def __init__(self, spec):
        super().__init__(spec)
        o, maps = self.options, spec.num_bottoms
        self.per_box = o.num_classes
        if o.mask_group_num != maps:
            raise spec.error(f"expected as many as there are bottoms, {maps}, got {o.mask_group_num}", "mask_group_num")
        if len(o.anchors_scale) != maps:
            raise spec.error(f"expected one for each of the {maps} bottoms, got {len(o.anchors_scale)}", "anchors_scale")
        if len(o.mask) != maps * o.num_box:
            raise spec.error(f"expected {o.num_box} (num_box) for each of the {maps} bottoms, got {len(o.mask)}", "mask")
        if len(o.biases) % 2 or (len(o.mask) and max(o.mask) >= len(o.biases) // 2):
            raise spec.error(f"expected a pair for each number of mask, up to {max(o.mask)}, got {len(o.biases)} numbers",
                             "biases")

    def _candidates(self, x, bottom):
        o = self.options
        own = list(o.mask)[bottom * o.num_box: (bottom + 1) * o.num_box]
        sizes = np.array(o.biases, x.dtype).reshape(-1, 2)[own]
        score = logistic(x[:, :, 4:5]) * logistic(x[:, :, PLACE:])
        image, row, column, box, label = np.nonzero(np.moveaxis(score, (1, 2), (3, 4)) > o.confidence_threshold)
        corners = decode(x, sizes, o.anchors_scale[bottom])
        return Found(image, label, score[image, box, label, row, column], corners[image, box, row, column])
