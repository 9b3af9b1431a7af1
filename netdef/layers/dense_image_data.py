"""DenseImageData: batches of pictures with a label for each pixel."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from netdef.data.dense import DenseSource, Pairs, read_pairs
from netdef.data.order import Order, order_of
from netdef.data.reader import Job
from netdef.data.transforms import Transformer
from netdef.errors import FieldError
from netdef.layers import feeding
from netdef.layers.base import Inferred, LayerSpec, Shape, exactly
from netdef.layers.constraints import not_negative, positive
from netdef.layers.image_data import ImageData
from netdef.layers.registry import register
from netdef.rng import Stream


class Dense(NamedTuple):
    """What is known before the first batch: where the list is, what it names, what is done to both, a record's shape."""

    path: str
    pairs: Pairs
    pictures: Transformer
    labels: Transformer
    shape: Shape

    def open(self, spec: LayerSpec) -> DenseSource:
        """The source."""
        return _open(spec, self.path, self.pairs)


def _open(spec: LayerSpec, path: str, pairs: Pairs) -> DenseSource:
    o = spec.options
    gray = not o.is_color or spec.message.transform_param.force_gray
    return DenseSource(path, pairs, gray, (o.new_height, o.new_width) if o.new_height else None)


@register("DenseImageData")
class DenseImageData(feeding.Feeding):
    r"""Reads batches of pictures with label pictures, which a text file names in pairs, in its order or shuffled.

    Formula: y = (x - mean) * scale of each picture, by ``transform_param``; labels are the grey levels of the label picture as
    they are. Crops and mirroring are drawn once for both.

    Shapes: no bottoms; tops (batch_size, C, H, W), C = 3 in the order blue, green, red, or 1 without ``is_color``, and labels
    (batch_size, 1, H, W), divided by ``label_divide_factor``. H and W are the crop's, else ``new_height`` and ``new_width``,
    else the first picture's; without any of these a batch's pictures must have one size, and the next batch may have another.

    Numerical care: a line holds two paths without spaces. They are looked for as in ImageData. Pictures are resized
    bilinearly, labels to the nearest, so that no class comes up between two others. SegNet refuses crops and mirroring.
    ``label_divide_factor`` n keeps every n-th label.

    Source: Badrinarayanan, Kendall and Cipolla, SegNet, 2015, and their fork of Caffe, whose files give its options number
    138.

    Example::

        layer { name: "camvid" type: "DenseImageData" top: "data" top: "label"
                dense_image_data_param { source: "camvid.txt" root_folder: "images/" batch_size: 4 shuffle: true } }
    """

    options_field = "dense_image_data_param"
    tops = exactly(2)
    constraints = {"batch_size": positive(), "new_height": not_negative(), "new_width": not_negative(),
                   "label_divide_factor": positive()}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        o = self.options
        if not o.source:
            raise spec.error("missing; expected a text file with the paths of a picture and its labels on each line", "source")
        if bool(o.new_height) != bool(o.new_width):
            raise spec.error("expected new_height and new_width, both or none", "new_width" if o.new_width else "new_height")
        if o.label_divide_factor > 1 and spec.message.transform_param.crop_size:
            raise spec.error("excludes crop_size", "label_divide_factor")
        self._source: DenseSource | None = None
        self._order: Order | None = None

    @classmethod
    def peek(cls, spec: LayerSpec) -> Dense:
        """Read the list and the first pair. Raises FieldError located at the option that is wrong."""
        param = spec.message.transform_param
        if param.HasField("augment"):
            raise FieldError(f"{spec.who}: augment: not for pictures with a label for each pixel",
                             where=spec.span("transform_param"), hint="crop_size and mirror change both alike")
        with feeding.about(spec, "source", spec.option_span("source")):
            path = feeding.found_path(spec, spec.options.source)
            pairs = read_pairs(path, ImageData._folders(spec, path))
            channels, height, width = _open(spec, path, pairs).shape
        with feeding.about(spec, "transform_param", spec.span("transform_param")):
            pictures = feeding.transformer_of(spec)
            labels = Transformer(mirror=param.mirror, crop_size=param.crop_size, train=spec.phase == "TRAIN")
            return Dense(path, pairs, pictures, labels, pictures.output_shape((channels - 1, height, width)))

    def infer(self, bottom_shapes):
        shape, n, every = self.spec.peeked.shape, self.batch_size, self.options.label_divide_factor
        return Inferred(tops=[(n, *shape), (n, 1, shape[1] // every, shape[2] // every)])

    def make_batch(self, job: Job) -> list[np.ndarray]:
        source, order = self._opened()
        peeked: Dense = self.spec.peeked
        positions = order.positions(job.seed, job.position, self.batch_size)
        images, _ = source.assemble(source.fetch(positions), peeked.pictures.crop_size > 0)
        made = []
        for transformer, part in ((peeked.pictures, slice(None, -1)), (peeked.labels, slice(-1, None))):
            cut: Any = [i[part] for i in images] if isinstance(images, list) else images[:, part]
            if transformer is peeked.labels and (every := self.options.label_divide_factor) > 1:
                height, width = cut.shape[2:]
                cut = np.ascontiguousarray(cut[:, :, : height // every * every: every, : width // every * every: every])
            shape = transformer.output_shape(cut[0].shape)
            out = np.empty((self.batch_size, *shape), self.dtype)
            made.append(transformer(cut, Stream(job.seed, self.name, job.iteration), out))
        return made

    def record_at(self, item):
        if self._job is None:
            return None
        source, order = self._opened()
        return int(order.positions(self._job.seed, self._job.position + item, 1)[0]) % len(source)

    def close(self):
        super().close()
        self._source = self._order = None

    def _opened(self) -> tuple[DenseSource, Order]:
        if self._source is None or self._order is None:
            source = self.spec.peeked.open(self.spec)
            self._order = order_of(source, self.name, shuffle=self.options.shuffle)
            self._source = source
        return self._source, self._order
