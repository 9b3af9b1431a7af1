"""VOCData: batches of pictures with boxes."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netdef.config import paths
from netdef.data.crops import WHOLE, check_sampler, crop_boxes, cut, draw_crop
from netdef.data.images import resize
from netdef.data.transforms import Transformer
from netdef.data.voc import Boxes, VocFolder
from netdef.errors import ConfigError, DataError, FieldError
from netdef.layers.base import Inferred, Layer, LayerSpec, between, exactly
from netdef.layers.constraints import positive
from netdef.layers.detections import TRUTH
from netdef.layers.registry import register
from netdef.rng import Stream

CHANNELS = 3
TAKES = ("scale", "mirror", "mean_value", "emit_constraint")


class Peeked(NamedTuple):
    """What is known before the first batch: the pictures' names and boxes, and what is done to pixels."""

    folder: VocFolder
    transformer: Transformer


@register("VOCData")
class VOCData(Layer):
    r"""Reads pictures with boxes from a folder laid out as that of PASCAL VOC, and gives SSD's rows of true boxes.

    Formula: none. In the TRAIN phase each picture is cut by ``batch_sampler`` as in SSD; then it is resized to
    ``new_height`` x ``new_width`` and flipped, boxes alike; then y = (x - mean) * scale by ``transform_param``.

    Shapes: no bottoms; tops (batch_size, 3, new_height, new_width), colours in the order blue, green, red, and (1, 1, G, 8)
    with a row for each of the G boxes of the batch: picture (from 0), class (from 1), number of the box, xmin, ymin, xmax,
    ymax as shares of the picture, difficult (0 or 1). G changes from batch to batch; a batch without boxes has one row
    of -1.

    Numerical care: pictures come in the order of the list and round again; with ``shuffle`` each round has another order.
    All random choices depend on seed, layer name and number of the pass or round alone, so a training is resumed exactly.
    Of crops, boxes are kept of which something is inside, or by ``transform_param { emit_constraint }``. Boxes without area
    are left out, with a warning. Pictures are kept in memory at their full size unless ``cache`` is false.

    Source: PASCAL VOC's layout of files; the rows of true boxes and the samplers are those of Liu et al., ECCV 2016.

    Example::

        layer { name: "data" type: "VOCData" top: "data" top: "truth"
                transform_param { mirror: true mean_value: 127.5 scale: 0.0078125 }
                voc_data_param { source: "VOC2007" split: "train" batch_size: 16 new_height: 160 new_width: 160
                                 class_name: "cat" class_name: "dog" shuffle: true } }
    """

    options_field = "voc_data_param"
    bottoms = exactly(0)
    tops = between(1, 2)
    backward_reads = frozenset()
    dynamic = True
    constraints = {name: positive(required=True) for name in ("batch_size", "new_height", "new_width")}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        o = self.options
        for option, what in (("source", "the folder with Annotations, JPEGImages and ImageSets"), ("class_name", "class names"),
                             ("split", "the name of a list in ImageSets/Main")):
            if not getattr(o, option):
                raise spec.error(f"missing; expected {what}", option)
        twice = next((n for i, n in enumerate(o.class_name) if n in o.class_name[:i]), None)
        if twice is not None:
            raise spec.error(f"expected each class once, got '{twice}' twice", "class_name")
        for sampler in o.batch_sampler:
            try:
                check_sampler(sampler)
            except FieldError as e:
                raise spec.error(e.message, "batch_sampler") from e
        for field, _ in spec.message.transform_param.ListFields():
            if field.name not in TAKES:
                raise FieldError(f"{spec.who}: transform_param: {field.name} has no effect on this type",
                                 where=spec.span("transform_param", field.name), hint=f"it takes {', '.join(TAKES)}")
        self.cursor = 0  # pictures read so far
        self.pictures: dict[int, np.ndarray] = {}
        self._order: tuple[tuple[int, int], np.ndarray] | None = None

    @classmethod
    def peek(cls, spec: LayerSpec) -> Peeked:
        """Read the list and all boxes. Raises FieldError located at ``source``."""
        o = spec.options
        try:
            folder = VocFolder(paths.resolve(o.source, spec.located.file), o.split, o.class_name)
        except (ConfigError, DataError) as e:
            place = f" ({e.where})" if isinstance(e.where, str) and e.where not in e.message else ""
            raise spec.error(f"{e.message}{place}", "source", e.hint) from e
        if folder.empty:
            what = "box of '{}' has no area and is" if folder.empty == 1 else "boxes of '{}' have no area and are"
            spec.warn(f"{folder.empty} {what.format(o.split)} left out", "source")
        transform = spec.message.transform_param
        transformer = Transformer(scale=transform.scale, mean_values=list(transform.mean_value),
                                  where=spec.span("transform_param"))
        if transformer.mean_values.size not in (0, 1, CHANNELS):
            raise FieldError(f"{spec.who}: transform_param: expected 1 or {CHANNELS} mean_value, got "
                             f"{transformer.mean_values.size}", where=spec.span("transform_param", "mean_value"))
        return Peeked(folder, transformer)

    def infer(self, bottom_shapes):
        o = self.options
        most = o.batch_size * max(1, self.spec.peeked.folder.most)
        return Inferred(tops=[(o.batch_size, CHANNELS, o.new_height, o.new_width), (1, 1, most, TRUTH)][: self.spec.num_tops])

    def forward(self, ctx, bottoms, params, tops):
        o, folder = self.options, self.spec.peeked.folder
        images = np.empty((o.batch_size, o.new_height, o.new_width, CHANNELS), np.uint8)
        rows = []
        for n in range(o.batch_size):
            index = self._record(self.cursor + n, ctx.rng.seed)
            images[n], boxes = self._changed(self._picture(index), folder.boxes[index], ctx.phase == "TRAIN", ctx.rng)
            count = len(boxes.label)
            rows.append(np.column_stack((np.full(count, n), boxes.label, np.arange(count), boxes.corners, boxes.difficult)))
        self.spec.peeked.transformer(images.transpose(0, 3, 1, 2), None, tops[0].data)
        if len(tops) > 1:
            truth = np.concatenate(rows)
            truth = truth if len(truth) else np.full((1, TRUTH), -1)
            tops[1].reshape(1, 1, len(truth), TRUTH)
            tops[1].data[...] = truth
        self.cursor += o.batch_size

    def _changed(self, picture: np.ndarray, boxes: Boxes, train: bool, stream: Stream) -> tuple[np.ndarray, Boxes]:
        """The picture at its new size (uint8), and its boxes, after crop and flips."""
        o, transform = self.options, self.spec.message.transform_param
        crop = draw_crop(o.batch_sampler, boxes.corners, stream) if train and o.batch_sampler else WHOLE
        if crop != WHOLE:
            boxes = crop_boxes(boxes, crop, transform.emit_constraint if transform.HasField("emit_constraint") else None)
        made = resize(cut(picture, crop), o.new_height, o.new_width)
        for axis, flips in ((0, transform.mirror), (1, o.flip_vertical)):
            if flips and stream.bernoulli(0.5, ()):
                made = np.flip(made, 1 - axis)
                corners = boxes.corners.copy()
                corners[:, [axis, axis + 2]] = 1 - corners[:, [axis + 2, axis]]
                boxes = boxes._replace(corners=corners)
        return made, boxes

    def _picture(self, index: int) -> np.ndarray:
        if index not in self.pictures:
            made = self.spec.peeked.folder.picture(index)
            if not self.options.cache:
                return made
            self.pictures[index] = made
        return self.pictures[index]

    def _record(self, number: int, seed: int) -> int:
        """Which picture stands at place ``number`` of the endless row of rounds."""
        turn, place = divmod(number, len(self.spec.peeked.folder))
        if not self.options.shuffle:
            return place
        if self._order is None or self._order[0] != (seed, turn):
            self._order = (seed, turn), Stream(seed, f"{self.name}/order", turn).permutation(len(self.spec.peeked.folder))
        return int(self._order[1][place])

    def record_at(self, item):
        number = self.cursor - self.options.batch_size + item
        if not self.options.shuffle:
            return number % len(self.spec.peeked.folder)
        return self._record(number, self._order[0][0]) if self._order is not None and number >= 0 else None

    def state(self):
        return {"cursor": self.cursor}

    def set_state(self, state):
        self.cursor = int(state["cursor"])

    def close(self):
        self.pictures.clear()
