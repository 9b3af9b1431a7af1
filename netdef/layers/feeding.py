"""What layers that read batches from files share: the place in the data, reading ahead, and the time spent waiting."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from netdef.config import paths
from netdef.data.augment import Augment
from netdef.data.order import Order, order_of
from netdef.data.prefetch import Prefetch
from netdef.data.reader import Job, Reader, Steps
from netdef.data.source import Peek, Source
from netdef.data.transforms import Transformer
from netdef.errors import ConfigError, DataError, FieldError, Span
from netdef.layers.base import Inferred, Layer, LayerSpec, Shape, at_least, exactly
from netdef.rng import Stream

AUTOMATIC_WORKERS = 4


class Feeding(Layer):
    """Base of layers whose batch is a function of (place in the data, number of the pass, seed).

    A type gives ``make_batch(job)``, which several threads may call, and ``ahead``.
    """

    bottoms = exactly(0)
    backward_reads = frozenset()

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.batch_size: int = self.reading.batch_size
        self.cursor = 0  # records read so far
        self.dtype = np.dtype("float32")
        self._prefetch: Prefetch[Job, Sequence[np.ndarray]] | None = None
        self._waited = 0.0
        self._first: tuple[int, int] | None = None
        self._job: Job | None = None
        self._spare: list[np.ndarray] = []

    @property
    def reading(self) -> Any:
        """The options that say how much is read: batch_size, and perhaps rand_skip."""
        return self.options

    def make_batch(self, job: Job) -> Sequence[np.ndarray]:
        """The tops' data for a job, of ``self.dtype``; more arrays than tops are cut off."""
        raise NotImplementedError

    reuses = False
    """Whether the first array of ``make_batch`` is always one of ``batch_array``'s, and may be filled again once it is copied."""

    def batch_array(self, shape: Shape) -> np.ndarray:
        """An array to fill, of ``self.dtype``: that of an earlier batch where one is left, since new memory costs time."""
        try:
            found = self._spare.pop()
        except IndexError:
            return np.empty(shape, self.dtype)
        return found if found.shape == tuple(shape) and found.dtype == self.dtype else np.empty(shape, self.dtype)

    def ahead(self) -> tuple[int, int]:
        """How many batches to read ahead, and on how many threads."""
        return ahead_of(self.spec)

    @property
    def waited(self) -> float:
        """Seconds that passes have waited for data so far."""
        return self._waited + (self._prefetch.waited if self._prefetch is not None else 0.0)

    def forward(self, ctx, bottoms, params, tops):
        if self._prefetch is None or self.dtype != ctx.dtype:
            self._stop()
            self.dtype = ctx.dtype
            self._prefetch = Prefetch(self.make_batch, lambda job: job.following(self.batch_size), *self.ahead(), self.name)
        job = Job(self.start(ctx.rng.seed) + self.cursor, ctx.rng.iteration, ctx.rng.seed)
        try:
            arrays = self._prefetch.get(job)
        except DataError as error:
            error.notes = (*error.notes, f"for {self.spec.who}, pass {job.iteration}")
            raise
        for top, array in zip(tops, arrays, strict=False):
            if top.shape != array.shape:  # images of changing size; the layers behind follow
                top.reshape(*array.shape)
            np.copyto(top.data, array)
        if self.reuses:
            self._spare.append(arrays[0])
        self._job = job
        self.cursor += self.batch_size

    def start(self, seed: int) -> int:
        """The place the first pass begins at, by rand_skip; a function of the seed, so that a resumed run begins there too."""
        most = getattr(self.reading, "rand_skip", 0)
        if self._first is None or self._first[0] != seed:
            self._first = seed, int(Stream(seed, f"{self.name}/rand_skip").integers(0, most)) if most else 0
        return self._first[1]

    def state(self):
        return {"cursor": self.cursor}

    def set_state(self, state):
        self.cursor = int(state["cursor"])
        self._job = None

    def close(self):
        self._stop()

    def _stop(self) -> None:
        """End the threads."""
        if self._prefetch is not None:
            self._waited += self._prefetch.waited
            self._prefetch.close()
            self._prefetch = None
        self._spare.clear()


class Peeked(NamedTuple):
    """What is known before the first batch: how the source is opened, what is done to records, the shapes of one item."""

    open: Callable[[], Source]
    steps: Steps
    shape: Shape
    label_shape: Shape
    weight_file: str
    in_memory: bool


class Records(Feeding):
    """Base of Data and ImageData: records of a source, in an order, through the transform; labels as one top or a top each."""

    tops = at_least(1)
    reuses = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        o = self.options
        sampling = spec.message.sampling_param
        if bool(o.new_height) != bool(o.new_width):
            raise spec.error("expected new_height and new_width, both or none", "new_width" if o.new_width else "new_height")
        given = [field.name for field, _ in sampling.ListFields()]
        if len(given) > 1:
            raise FieldError(f"{spec.who}: sampling_param: {' and '.join(given)} exclude each other",
                             where=spec.span("sampling_param", given[1]))
        self.source: Source | None = None
        self._reader: Reader | None = None
        self._number: int | None = None

    def infer(self, bottom_shapes):
        peeked, n, tops = self.spec.peeked, self.batch_size, self.spec.num_tops
        if tops > 2:
            labels = int(np.prod(peeked.label_shape))
            if tops != 1 + labels or len(peeked.label_shape) != 1:
                raise self.spec.shape_error(f"expected 1 or 2 tops, or one for data and one for each of the {labels} labels "
                                            f"of a record, got {tops}")
            return Inferred(tops=[(n, *peeked.shape), *[(n,)] * labels])
        return Inferred(tops=[(n, *peeked.shape), (n, *peeked.label_shape)][: tops])

    def make_batch(self, job):
        data, labels = self._open().make(job)
        if self.spec.num_tops > 2:
            return [data, *labels.T]
        return [data, labels]

    def ahead(self):
        peeked = self.spec.peeked
        if peeked.in_memory and peeked.steps.augment is None and not self.spec.message.data_param.HasField("prefetch"):
            return 0, 1
        return ahead_of(self.spec)

    def forward(self, ctx, bottoms, params, tops):
        if self.dtype != ctx.dtype:
            self._reader = None
        super().forward(ctx, bottoms, params, tops)

    def record_at(self, item):
        return None if self._job is None else self._open().index(self._job, item)

    def close(self):
        super().close()
        if self.source is not None:
            self.source.close()
            self.source = self._reader = None

    def _open(self) -> Reader:
        if self._reader is None:
            peeked = self.spec.peeked
            if self.source is None:
                self.source = peeked.open()
            self._reader = Reader(self.source, self._order(self.source), peeked.steps, self.batch_size, self.name, self.dtype,
                                  self.batch_array)
        return self._reader

    def _order(self, source: Source) -> Order:
        sampling = self.spec.message.sampling_param
        try:
            return order_of(source, self.name, shuffle=self.options.shuffle, balance=sampling.balance,
                            class_weight=list(sampling.class_weight), weight_file=self.spec.peeked.weight_file)
        except DataError as error:
            raise DataError(f"{self.spec.who}: {error.message}", where=error.where, hint=error.hint) from error


def look(spec: LayerSpec, found: Peek, opened: Callable[[], Source], in_memory: bool = False) -> Peeked:
    """What is done to the records of a source, and the shapes that come out. Raises FieldError located at the option."""
    if spec.num_tops > 1 and not found.label:
        raise FieldError(f"{spec.who}: the source has no labels, and a second top is written",
                         where=spec.span("top", 1), hint="say where the labels are, or leave the top out")
    options, sampling = spec.options, spec.message.sampling_param
    weights = ""
    if sampling.weight_file:
        with about(spec, "weight_file", spec.span("sampling_param", "weight_file")):
            weights = found_path(spec, sampling.weight_file)
    resize = (options.new_height, options.new_width) if options.new_height and options.new_width else None
    param = spec.message.transform_param
    with about(spec, "transform_param", spec.span("transform_param")):
        transformer = transformer_of(spec)
        augment = None
        if param.HasField("augment"):
            augment = Augment(param.augment, spec.phase == "TRAIN", param.crop_size, spec.name, spec.span("transform_param"))
            if augment.size is not None and transformer.mean is not None:
                raise FieldError("augment: resized_crop takes pictures to another size than mean_file's", hint="write "
                                 "mean_value", where=spec.span("transform_param", "augment"))
        steps = Steps(resize, augment, transformer)
        return Peeked(opened, steps, steps.output_shape(found.shape), found.label_shape, weights, in_memory)


def transformer_of(spec: LayerSpec) -> Transformer:
    """The transform that transform_param describes. Raises FieldError, DataError."""
    def mean_file(path: str) -> str:
        with about(spec, "mean_file", spec.span("transform_param", "mean_file")):
            return found_path(spec, path)

    return Transformer.from_message(spec.message.transform_param, spec.phase == "TRAIN", mean_file,
                                    spec.span("transform_param"))


def ahead_of(spec: LayerSpec) -> tuple[int, int]:
    """Batches to read ahead and threads, as data_param says (in layers of every type, as in Caffe)."""
    param = spec.message.data_param
    ahead: int = param.prefetch
    return ahead, param.workers or min(AUTOMATIC_WORKERS, ahead or 1, os.cpu_count() or 1)


def found_path(spec: LayerSpec, path: str) -> str:
    """A file or folder beside the config or in the working directory. Raises ConfigError."""
    found = str(paths.resolve(path, spec.located.file))
    return found + "/" if path.endswith("/") else found


@contextmanager
def about(spec: LayerSpec, option: str, where: Span) -> Iterator[None]:
    """Turn an error about the source or the transform into one that names layer, option and place."""
    try:
        yield
    except (ConfigError, DataError) as e:
        if e.message.startswith(spec.who):
            raise
        place = f" ({e.where})" if isinstance(e.where, str) and e.where not in e.message else ""
        raise FieldError(f"{spec.who}: {option}: {e.message}{place}", where=where, hint=e.hint) from e


def reading(spec: LayerSpec, backends: Sequence[str] = ()) -> dict[str, Any]:
    """How records are to be read: keywords of ``netdef.data.open``."""
    transform = spec.message.transform_param
    return {"backend": backends[spec.options.backend] if spec.has("backend") else None,
            "force_color": transform.force_color, "force_gray": transform.force_gray}
