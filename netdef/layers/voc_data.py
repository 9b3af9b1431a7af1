"""VOCData: batches of pictures with boxes."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from netdef.config import paths
from netdef.data.boxes import ROW, Boxes, truth
from netdef.data.crops import WHOLE, check_sampler, crop_boxes, cut, draw_crop
from netdef.data.images import resize
from netdef.data.order import InOrder, Order, Shuffled
from netdef.data.reader import Job
from netdef.data.transforms import Transformer
from netdef.data.voc import VocFolder
from netdef.errors import ConfigError, DataError, FieldError
from netdef.layers import feeding
from netdef.layers.base import Inferred, LayerSpec, between
from netdef.layers.constraints import positive
from netdef.layers.registry import register
from netdef.rng import Stream

CHANNELS = 3
TAKES = ("scale", "mirror", "mean_value", "emit_constraint")


class Peeked(NamedTuple):
    """What is known before the first batch: the pictures' names and boxes, and what is done to pixels."""

    folder: VocFolder
    transformer: Transformer

    @property
    def class_names(self) -> list[str]:
        """The names by class number; 0 is nothing."""
        return ["background", *self.folder.classes]


@register("VOCData")
class VOCData(feeding.Feeding):
    r"""Reads pictures with boxes from a folder laid out as that of PASCAL VOC, and gives SSD's rows of true boxes.

    Formula: none. In the TRAIN phase each picture is cut by ``batch_sampler`` as in SSD; then it is resized to
    ``new_height`` x ``new_width`` and flipped, boxes alike; then y = (x - mean) * scale by ``transform_param``.

    Shapes: no bottoms; tops (batch_size, 3, new_height, new_width), colours in the order blue, green, red, and (1, 1, G, 8)
    with a row for each of the G boxes of the batch: picture (from 0), class (from 1), number of the box, xmin, ymin, xmax,
    ymax as shares of the picture, difficult (0 or 1). G changes from batch to batch; a batch without boxes has one row
    of -1.

    Numerical care: pictures come in the order of the list and round again; with ``shuffle`` each round has another order.
    All random choices depend on seed, layer name and number of the pass or round alone, so a training is resumed exactly and
    any number of threads may read ahead (``data_param { prefetch workers }``).
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
    tops = between(1, 2)
    dynamic = True
    reuses = True
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
        self.pictures: dict[int, np.ndarray] = {}
        self._order: Order | None = None

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
        return Inferred(tops=[(o.batch_size, CHANNELS, o.new_height, o.new_width), (1, 1, most, ROW)][: self.spec.num_tops])

    def make_batch(self, job: Job) -> list[np.ndarray]:
        """See Feeding."""
        o, folder = self.options, self.spec.peeked.folder
        stream = Stream(job.seed, self.name, job.iteration)
        images = np.empty((o.batch_size, o.new_height, o.new_width, CHANNELS), np.uint8)
        boxes = []
        for n, index in enumerate(self._records(job)):
            images[n], seen = self._changed(self._picture(index), folder.boxes[index], stream)
            boxes.append(seen)
        out = self.batch_array((o.batch_size, CHANNELS, o.new_height, o.new_width))
        self.spec.peeked.transformer(images.transpose(0, 3, 1, 2), None, out)
        return [out, truth(boxes).astype(self.dtype)]

    def _changed(self, picture: np.ndarray, boxes: Boxes, stream: Stream) -> tuple[np.ndarray, Boxes]:
        """The picture at its new size (uint8), and its boxes, after crop and flips."""
        o, transform = self.options, self.spec.message.transform_param
        train = self.spec.phase == "TRAIN"
        crop = draw_crop(o.batch_sampler, boxes.corners, stream) if train and o.batch_sampler else WHOLE
        if crop != WHOLE:
            boxes = crop_boxes(boxes, crop, transform.emit_constraint if transform.HasField("emit_constraint") else None)
        made = resize(cut(picture, crop), o.new_height, o.new_width)
        for axis, flips in ((0, transform.mirror), (1, o.flip_vertical)):
            if flips and stream.bernoulli(0.5, ()):
                made, boxes = np.flip(made, 1 - axis), boxes.flipped(axis)
        return made, boxes

    def _picture(self, index: int) -> np.ndarray:
        """A picture, from memory where it has been read before; two threads may read the same one."""
        found = self.pictures.get(index)
        if found is None:
            found = self.spec.peeked.folder.picture(index)
            if self.options.cache:
                self.pictures[index] = found
        return found

    def _records(self, job: Job, first: int = 0, count: int | None = None) -> list[int]:
        """Which pictures are the items of a job's batch."""
        if self._order is None:
            self._order = Shuffled(len(self.spec.peeked.folder), self.name) if self.options.shuffle else InOrder()
        positions = self._order.positions(job.seed, job.position + first, self.batch_size if count is None else count)
        return [int(p) % len(self.spec.peeked.folder) for p in positions]

    def record_at(self, item):
        return None if self._job is None else self._records(self._job, item, 1)[0]

    def close(self):
        super().close()
        self.pictures.clear()
