"""RegionLoss: what teaches a YOLOv2 net its boxes."""
from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from netdef import kernels as K
from netdef.errors import DataError
from netdef.layers.base import Array, Inferred, Layer, between, exactly
from netdef.layers.constraints import Constraint, not_negative, positive
from netdef.layers.registry import register
from netdef.layers.yolo_detection_output import PLACE, decode, logistic

WARM_UP, WARM_WEIGHT = 12800, 0.01  # pictures at the beginning of a training, and how much they pull boxes to the default ones
NUMBERS = 7  # of the second top
ROW, ANNOTATED = 5, 8  # numbers of a true box: class and place, or a row of AnnotatedData


class Truth(NamedTuple):
    """True boxes of one picture: classes (T) and boxes (T, 4) as middle, width and height, shares of the picture."""

    label: np.ndarray
    box: np.ndarray


@register("RegionLoss")
class RegionLoss(Layer):
    r"""The loss of YOLOv2: every box of every cell learns whether it holds an object, and those that do which one and where.

    Formula: with numbers t of box b in the cell in row j and column i, s the logistic function: prediction u = (s(t_0), s(t_1),
    t_2, t_3), o = s(t_4), p = softmax(t_5, ...); it is the box with centre x = (i + u_0) / W, y = (j + u_1) / H, width
    exp(u_2) biases_2b / W, height exp(u_3) biases_2b+1 / H.
    Each true box (class c; x, y, w, h) goes to the cell in which its centre lies, and there to the box that is most like it in
    width and height; of several for one box the last counts. That box gets the targets v = (x W - i, y H - j, log(w W /
    biases_2b), log(h H / biases_2b+1)) with weight m = ``coord_scale``, q = its overlap with the true box with weight k =
    ``object_scale``, and class c; with ``rescore: 0`` m = ``coord_scale`` (2 - w h) and q = 1. All other boxes get q = 0 with
    k = ``noobject_scale``, or k = 0 where the box overlaps a true one by more than ``thresh``; and while fewer than 12800
    pictures were seen in the TRAIN phase, v = (1/2, 1/2, 0, 0) with m = 0.01.
    Y = 1/N sum of m/2 |u - v|^2 + k/2 (o - q)^2 - ``class_scale`` log p_c;  dt is its gradient with all targets and weights held
    fixed: for t_0, t_1 and t_4 w/N m (u - v) s'(t) and w/N k (o - q) s'(t), for t_2 and t_3 w/N m (u - v), for classes
    w/N ``class_scale`` (p - [is c]), with the loss weight w.

    Shapes: a map (N, num (5 + num_class), H, W). True boxes (N, ...) with 5 numbers a box (class from 0, x, y, w, h; shares of
    the picture), up to the first one with a width of 0; or the rows (1, 1, G, 8) of AnnotatedData, where classes count from 1
    and boxes without an area are left out.
    Top: a scalar (); a second top (7) gets: the fork's number (see below), and as means over the true boxes the overlap, the
    probability of their class and the object's score, then the mean of all objects' scores, and the shares of true boxes
    that are overlapped by more than 0.5 and 0.75; 0 where there is no true box. Only the map gets a gradient.

    Numerical care, gradient convention: the gradient is the fork's, and Darknet's. The loss that the fork prints is another
    number, the sum of all squared dt (with w/N left out) over N, of which dt is no derivative; here the first top is Y, whose
    derivative it is, and the second top begins with the fork's number. Overlaps count as constants, so moving a box changes
    its target without a term in the gradient (`netdef check` sees that difference, unless ``rescore: 0``). Three things differ: a
    training that is resumed goes on counting pictures, where the fork begins again; a centre on the right or lower border
    belongs to the last cell; and each box needs its pair of biases, where the fork takes zeros for fewer than ten.

    Source: Redmon and Farhadi, YOLO9000: Better, Faster, Stronger, CVPR 2017; Darknet's region layer; MobileNet-YOLO's layer
    of this name, whose files give its options number 600.

    Example::

        layer { name: "data" type: "Input" top: "map" top: "truth"
                input_param { shape { dim: 1 dim: 14 dim: 3 dim: 3 } shape { dim: 1 dim: 30 dim: 5 } } }
        layer { name: "loss" type: "RegionLoss" bottom: "map" bottom: "truth" top: "loss"
                region_loss_param { num_class: 2 num: 2 biases: 1.5 biases: 2 biases: 3 biases: 1 } }
    """

    options_field = "region_loss_param"
    bottoms = exactly(2)
    tops = between(1, 2)
    differentiable = (True, False)
    is_loss = True
    backward_reads = frozenset()
    constraints = {"num_class": positive(required=True), "num": positive(), "coords": Constraint(low=4, high=4),
                   "object_scale": not_negative(), "class_scale": not_negative(), "noobject_scale": not_negative(),
                   "coord_scale": not_negative(), "thresh": not_negative()}

    def __init__(self, spec):
        super().__init__(spec)
        o = self.options
        if len(o.biases) != 2 * o.num:
            raise spec.error(f"expected 2 numbers for each of the {o.num} boxes (num), got {len(o.biases)}", "biases")
        for i, size in enumerate(o.biases):
            if not 0 < size < math.inf:
                raise spec.error(f"expected numbers above 0, got {size:g} as number {i}", "biases")
        for name in ("softmax_tree", "class_map"):
            if spec.has(name):
                spec.warn("has no effect here", name)
        if spec.has("softmax") and not o.softmax:
            spec.warn("has no effect: the classes always go through a softmax, as in the fork", "softmax")

    def infer(self, bottom_shapes):
        o, (shape, truth) = self.options, (tuple(s) for s in bottom_shapes)
        channels = o.num * (PLACE + o.num_class)
        if len(shape) != 4 or shape[1] != channels:
            raise self.spec.shape_error(f"expected a map of shape (N, {channels}, H, W), {PLACE} + num_class {o.num_class} "
                                        f"numbers for each of {o.num} boxes, got {shape}", 0)
        if not _annotated(truth) and (len(truth) < 2 or truth[0] != shape[0] or math.prod(truth[1:]) % ROW):
            raise self.spec.shape_error(f"expected true boxes of shape ({shape[0]}, boxes, {ROW}), or the rows (1, 1, boxes, "
                                        f"{ANNOTATED}) of AnnotatedData, got {truth}", 1)
        return Inferred(tops=[(), (NUMBERS,)][: self.spec.num_tops], workspace={"slope": Array(shape)})

    def forward(self, ctx, bottoms, params, tops):
        o, shape = self.options, bottoms[0].shape
        items, (height, width) = shape[0], shape[2:]
        x = bottoms[0].data.reshape(items, o.num, PLACE + o.num_class, height, width)
        said = _said(x)
        truths = self._truths(bottoms[1].data, items)
        target, weight, seen = self._targets(x, said, truths, ctx.phase == "TRAIN" and ctx.iteration * items < WARM_UP)
        off = said - target
        loss = (weight[:, :, :PLACE] * np.square(off[:, :, :PLACE])).sum(dtype=np.float64) / 2
        loss -= (weight[:, :, PLACE:] * target[:, :, PLACE:] * np.log(np.maximum(
            said[:, :, PLACE:], np.finfo(said.dtype).tiny))).sum(dtype=np.float64)
        slope = ctx.workspace["slope"].reshape(x.shape)
        np.multiply(weight, off, out=slope)
        for i in (0, 1, 4):
            slope[:, :, i] *= said[:, :, i] * (1 - said[:, :, i])
        tops[0].data[...] = loss / max(1, items)
        if len(tops) > 1:
            tops[1].data[...] = [np.square(slope, dtype=np.float64).sum() / max(1, items), *seen]
        slope /= max(1, items)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            np.multiply(ctx.workspace["slope"], tops[0].diff, out=bottoms[0].diff)

    def _targets(self, x: np.ndarray, said: np.ndarray, truths: list[Truth], warm: bool) -> tuple[Any, ...]:
        """Targets and weights in the shape of the map's numbers, and the last six numbers of the second top."""
        o, (height, width) = self.options, x.shape[3:]
        biases = np.array(o.biases, np.float64).reshape(-1, 2)
        target, weight = np.zeros_like(said), np.zeros_like(said)
        if warm:
            target[:, :, :2], weight[:, :, :4] = 0.5, WARM_WEIGHT
        weight[:, :, 4] = o.noobject_scale
        corners = decode(x, biases.astype(x.dtype), 1).astype(np.float64)
        seen: list[tuple[float, float, float]] = []
        for n, (labels, boxes) in enumerate(truths):
            if not len(labels):
                continue
            overlaps = _overlaps(corners[n][..., None, :], _corners(boxes))
            weight[n, :, 4][(overlaps > o.thresh).any(axis=-1)] = 0
            for t, (label, (middle_x, middle_y, w, h)) in enumerate(zip(labels, boxes, strict=True)):
                i, j = min(int(middle_x * width), width - 1), min(int(middle_y * height), height - 1)
                sizes = biases if o.bias_match else biases * np.exp(x[n, :, 2:4, j, i].astype(np.float64))
                mine = int(_alike(sizes / (width, height), w, h).argmax())
                overlap, at = overlaps[mine, j, i, t], (n, mine, slice(None), j, i)
                one = np.zeros(o.num_class)
                one[label] = 1
                target[at] = [middle_x * width - i, middle_y * height - j, math.log(w * width / biases[mine, 0]),
                              math.log(h * height / biases[mine, 1]), overlap if o.rescore else 1, *one]
                weight[at] = [*[o.coord_scale * (1 if o.rescore else 2 - w * h)] * 4, o.object_scale,
                              *[o.class_scale] * o.num_class]
                seen.append((overlap, said[at][PLACE + label], said[at][4]))
        if not seen:
            return target, weight, [0, 0, 0, said[:, :, 4].mean() if said.size else 0, 0, 0]
        told = np.array(seen, np.float64)
        return target, weight, [*told.mean(axis=0), said[:, :, 4].mean(), (told[:, 0] > 0.5).mean(), (told[:, 0] > 0.75).mean()]

    def _truths(self, data: np.ndarray, items: int) -> list[Truth]:
        """The true boxes by picture. Raises DataError for a class or a place that cannot be."""
        rows = data.astype(np.float64)
        if _annotated(data.shape):
            rows = rows.reshape(-1, ANNOTATED)
            rows = rows[(rows[:, 0] >= 0) & (rows[:, 5:7] > rows[:, 3:5]).all(axis=1)]
            picture, sides = rows[:, 0].astype(int), rows[:, 5:7] - rows[:, 3:5]
            every = np.column_stack([rows[:, 1] - 1, rows[:, 3:5] + sides / 2, sides])
            lists = [every[picture == n] for n in range(items)]
        else:
            lists = [item[: _end(item[:, 3])] for item in rows.reshape(items, math.prod(data.shape[1:]) // ROW, ROW)]
        for n, found in enumerate(lists):
            self._check(n, found)
        return [Truth(found[:, 0].astype(int), found[:, 1:]) for found in lists]

    def _check(self, item: int, rows: np.ndarray) -> None:
        label, place = rows[:, 0], rows[:, 1:]
        good = (label >= 0) & (label < self.options.num_class) & (np.floor(label) == label)
        inside = ((place >= 0) & (place <= 1 + 1e-6)).all(axis=1) & (place[:, 2:] > 0).all(axis=1)
        if (good & inside).all():
            return
        i = int(np.argmin(good & inside))
        expected = (f"a class from 0 to {self.options.num_class - 1}, got {label[i]:g}" if not good[i] else
                    f"x, y, width and height as shares of the picture, from 0 to 1, got {', '.join(f'{v:g}' for v in place[i])}")
        error = DataError(f"{self.spec.who}: blob '{self.spec.message.bottom[1]}', item {item} of the batch, true box {i}: "
                          f"expected {expected}", where=self.spec.span("bottom", 1))
        error.item = item
        raise error


def _annotated(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[:2] == (1, 1) and shape[3] == ANNOTATED


def _end(widths: np.ndarray) -> int:
    """How many boxes stand before the first one without a width."""
    return int(np.argmin(widths != 0)) if (widths == 0).any() else len(widths)


def _said(x: np.ndarray) -> np.ndarray:
    """What the numbers (N, boxes, numbers, H, W) say: places and objects through the logistic function, classes as shares."""
    out = x.copy()
    for i in (0, 1, 4):
        out[:, :, i] = logistic(x[:, :, i])
    classes = np.ascontiguousarray(x[:, :, PLACE:]).reshape(x.shape[0] * x.shape[1], x.shape[2] - PLACE,
                                                           x.shape[3] * x.shape[4])
    if classes.size:
        shares = np.empty_like(classes)
        K.softmax_forward(classes, shares)
        out[:, :, PLACE:] = shares.reshape(out[:, :, PLACE:].shape)
    return out


def _corners(boxes: np.ndarray) -> np.ndarray:
    """(T, 4) as corners, from middle, width and height."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes as corners (..., 4), broadcast; no number counts as none."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
        shared = np.where((sides > 0).all(axis=-1), sides.prod(axis=-1), 0)
        areas = [(box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b)]
        return np.nan_to_num(shared / (areas[0] + areas[1] - shared), nan=0.0)


def _alike(sizes: np.ndarray, w: float, h: float) -> np.ndarray:
    """The overlap of boxes with these sizes (B, 2) with one of w by h that has the same middle."""
    zeros = np.zeros_like(sizes)
    return _overlaps(np.concatenate([zeros, sizes], axis=1), np.array([0, 0, w, h]))
