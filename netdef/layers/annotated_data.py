"""AnnotatedData: batches from SSD's databases of pictures with boxes."""
from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np

from netdef.config import paths
from netdef.data.annotated import AnnotatedSource, Item, open_annotated
from netdef.data.boxed import FIT_SMALL, BoxedTransform
from netdef.data.boxes import ROW, Boxes, truth
from netdef.data.datum import Decoding
from netdef.data.labels import read_labels
from netdef.data.order import Order, order_of
from netdef.data.reader import Job
from netdef.data.transforms import read_mean
from netdef.errors import ConfigError, DataError, FieldError
from netdef.layers import feeding
from netdef.layers.base import Inferred, LayerSpec, Shape, between
from netdef.layers.data import BACKENDS
from netdef.layers.registry import register
from netdef.rng import Stream

_NONE = Boxes(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 4)), np.empty(0, bool))


class Peeked(NamedTuple):
    """What is known before the first batch: the database, what is done to pictures, their shape, the first record's boxes."""

    path: str
    backend: str | None
    decoding: Decoding
    transform: BoxedTransform
    shape: Shape
    boxes: int | None
    """None: records have a label each, and no boxes"""
    class_names: list[str]

    def open(self) -> AnnotatedSource:
        """The source. Raises DataError."""
        return open_annotated(self.path, self.backend, self.decoding)


@register("AnnotatedData")
class AnnotatedData(feeding.Feeding):
    r"""Reads pictures with boxes from SSD's databases, an LMDB or LevelDB of AnnotatedDatum records, round and round.

    Formula: y = (x - mean) * scale of each picture, which is changed before, with its boxes, in SSD's order:
    ``distort_param``, ``expand_param`` (on a canvas of the mean's colour), one crop of ``batch_sampler``, ``mirror``,
    ``resize_param``, ``noise_param``, ``crop_size`` or ``crop_h`` and ``crop_w``. All of it happens in both phases, as in
    SSD, but for the last, which is random in TRAIN and from the centre in TEST.

    Shapes: no bottoms; tops (batch_size, C, H, W), colours in the order blue, green, red, H and W being ``resize_param``'s or
    the crop's, and (1, 1, G, 8) with a row for each of the G boxes of the batch: picture, class, number of the box, xmin,
    ymin, xmax, ymax as shares of the picture, difficult. A batch without boxes has one row of -1. Where records have only a
    label, the second top is (batch_size). Source and ``batch_size`` stand in ``data_param``.

    Numerical care: SSD's Caffe writes a picture as a JPEG and reads it again after each of the first three changes; here it is
    not touched in between. Resizing agrees with OpenCV to one grey level, changes of colour to a few. ``prob`` of
    ``resize_param`` and ``noise_param`` has no effect, as in SSD. Records come in the order in which they lie, or by
    ``data_param { shuffle }``. Random draws depend on seed, layer name and number of the pass alone, never on the threads that
    read ahead (``data_param { prefetch workers }``). `netdef data make cells_lmdb --from voc:FOLDER --encoded same` writes such a
    database. Where it is not here, `netdef summary` and the like take one box a batch; ``--assume label=1,1,20,8`` gives
    another number.

    Source: SSD's Caffe (weiliu89/caffe, branch ssd), whose files give its options number 200.

    Example::

        layer { name: "data" type: "AnnotatedData" top: "data" top: "label"
                transform_param { mean_value: 127.5 scale: 0.007843 resize_param { height: 300 width: 300 } }
                data_param { source: "trainval_lmdb" batch_size: 24 backend: LMDB }
                annotated_data_param { label_map_file: "labelmap.prototxt" } }
    """

    options_field = "annotated_data_param"
    tops = between(1, 2)
    dynamic = True
    reuses = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        if not self.batch_size:
            raise FieldError(f"{spec.who}: data_param: batch_size: missing; expected at least 1", where=spec.span("data_param"))
        self.source: AnnotatedSource | None = None
        self._order: Order | None = None
        self._lock = threading.RLock()

    @property
    def reading(self) -> Any:
        """See Feeding."""
        return self.spec.message.data_param

    @classmethod
    def peek(cls, spec: LayerSpec) -> Peeked:
        """Look at the first record. Raises FieldError located at the option that is wrong."""
        data, param = spec.message.data_param, spec.message.transform_param
        if not data.source:
            raise FieldError(f"{spec.who}: source: missing; expected a database's path in data_param",
                             where=spec.span("data_param", "source"))
        _refuse(spec)
        mean = None
        if param.mean_file:
            with feeding.about(spec, "mean_file", spec.span("transform_param", "mean_file")):
                mean = read_mean(feeding.found_path(spec, param.mean_file))
        with feeding.about(spec, "transform_param", spec.span("transform_param")):
            transform = BoxedTransform(param, spec.options.batch_sampler, spec.phase == "TRAIN", mean)
        backend = BACKENDS[data.backend] if data.HasField("backend") else None
        decoding = Decoding(param.force_color, param.force_gray)
        with feeding.about(spec, "source", spec.span("data_param", "source")):
            path = feeding.found_path(spec, data.source)
            source = open_annotated(path, backend, decoding)
            try:
                first = source.first()
            finally:
                source.close()
        with feeding.about(spec, "transform_param", spec.span("transform_param")):
            channels, height, width = first.picture.shape
            shape = transform.output_shape((channels, height, width))
        boxes = len(first.boxes.label) if first.boxes is not None else 0 if spec.has("anno_type") else None
        return Peeked(path, backend, decoding, transform, shape, boxes, cls._names(spec))

    @staticmethod
    def _names(spec: LayerSpec) -> list[str]:
        """The names of the classes; SSD does not look for them, so a file that is not here is no error."""
        if not spec.options.label_map_file:
            return []
        try:
            return read_labels(paths.resolve(spec.options.label_map_file, spec.located.file))
        except (ConfigError, DataError) as error:
            spec.warn(f"the names of the classes cannot be read: {error.message}", "label_map_file")
            return []

    def infer(self, bottom_shapes):
        peeked, n = self.spec.peeked, self.batch_size
        labels = (n,) if peeked.boxes is None else (1, 1, n * max(1, peeked.boxes), ROW)
        return Inferred(tops=[(n, *peeked.shape), labels][: self.spec.num_tops])

    def make_batch(self, job: Job) -> list[np.ndarray]:
        """See Feeding."""
        source, order = self._opened()
        positions = order.positions(job.seed, job.position, self.batch_size)
        with self._lock:
            fetched = source.fetch(positions)
        stream = Stream(job.seed, self.name, job.iteration)
        pictures: list[np.ndarray] = []
        boxes, labels = [], []
        for number, item in enumerate(source.items(fetched)):
            try:
                picture, seen = self._changed(item, stream)
                self._check(picture, pictures)
            except (ValueError, FieldError, DataError) as error:
                raise self._bad(job, number, error) from error
            pictures.append(picture)
            boxes.append(seen)
            labels.append(item.label)
        images = np.stack(pictures).transpose(0, 3, 1, 2)
        out = self.batch_array(images.shape)
        self.spec.peeked.transform.values(images, None, out)
        return [out, (np.array(labels) if self.spec.peeked.boxes is None else truth(boxes)).astype(self.dtype)]

    def record_at(self, item):
        return None if self._job is None else self._record(self._job, item)

    def close(self):
        super().close()
        if self.source is not None:
            self.source.close()
            self.source = self._order = None

    def _changed(self, item: Item, stream: Stream) -> tuple[np.ndarray, Boxes]:
        peeked = self.spec.peeked
        if item.boxes is None and peeked.boxes is not None and self.spec.num_tops > 1 and not self.spec.has("anno_type"):
            raise ValueError("expected a record with boxes, as the first, it has only a label")
        return peeked.transform(item.picture.transpose(1, 2, 0), _NONE if item.boxes is None else item.boxes, stream)

    def _check(self, picture: np.ndarray, before: list[np.ndarray]) -> None:
        """Raise ValueError for a picture that does not fit the batch."""
        channels = self.spec.peeked.shape[0]
        if picture.shape[2] != channels:
            raise ValueError(f"expected {channels} channels, as in the first record, got {picture.shape[2]}; force_color or "
                             "force_gray in transform_param makes pictures alike")
        if before and picture.shape != before[0].shape:
            raise ValueError(f"expected the size of the batch's first picture, {_x(before[0])}, got {_x(picture)}; resize_param "
                             "with height and width makes pictures alike, FIT_SMALL_SIZE takes one a batch")

    def _bad(self, job: Job, number: int, error: Exception) -> DataError:
        source, _ = self._opened()
        with self._lock:
            who = source.where(self._record(job, number))
        message, hint = (error.message, error.hint) if isinstance(error, (FieldError, DataError)) else (str(error), "")
        made = DataError(f"{who}: {message}", where=source.name, hint=hint)
        made.item = number
        return made

    def _record(self, job: Job, item: int) -> int:
        source, order = self._opened()
        with self._lock:
            return int(order.positions(job.seed, job.position + item, 1)[0]) % len(source)

    def _opened(self) -> tuple[AnnotatedSource, Order]:
        with self._lock:
            if self.source is None or self._order is None:
                self.source = self.spec.peeked.open()
                self._order = order_of(self.source, self.name, shuffle=self.spec.message.data_param.shuffle)
            return self.source, self._order


def _refuse(spec: LayerSpec) -> None:
    """Raise FieldError for what this type does not take; warn of what has no effect."""
    data, param = spec.message.data_param, spec.message.transform_param
    if param.HasField("augment"):
        raise FieldError(f"{spec.who}: augment: not for pictures with boxes", where=spec.span("transform_param", "augment"),
                         hint="distort_param, expand_param and batch_sampler change both alike")
    if param.force_color and param.force_gray:
        raise FieldError(f"{spec.who}: force_color and force_gray exclude each other", where=spec.span("transform_param"))
    if param.mean_file and param.mean_value:
        raise FieldError(f"{spec.who}: expected mean_file or mean_value, got both", where=spec.span("transform_param"))
    for name in ("new_height", "new_width"):
        if getattr(data, name):
            raise FieldError(f"{spec.who}: {name} has no effect on this type", where=spec.span("data_param", name),
                             hint="write transform_param { resize_param { height width } }")
    resize = param.resize_param
    if param.HasField("resize_param") and resize.resize_mode == FIT_SMALL and data.batch_size > 1 and not (
            param.crop_size or param.crop_h):
        raise FieldError(f"{spec.who}: resize_param: FIT_SMALL_SIZE gives pictures of several sizes, and batch_size is "
                         f"{data.batch_size}", where=spec.span("transform_param", "resize_param"),
                         hint="write batch_size: 1, or a crop_size")
    for name in ("resize_param", "noise_param"):
        part = getattr(param, name)
        if param.HasField(name) and part.HasField("prob") and part.prob != 1:
            spec.warn(f"transform_param: {name}: prob has no effect, every picture is changed, as in SSD's Caffe")


def _x(picture: np.ndarray) -> str:
    return "x".join(map(str, picture.shape[:2]))
