"""Batches by number: which records, how they are changed, as arrays for a net. The work that prefetch threads do."""
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from netdef.data.augment import Augment
from netdef.data.later import resized, window
from netdef.data.order import Order
from netdef.data.source import Images, Shape, Source
from netdef.data.transforms import Transformer
from netdef.errors import DataError, FieldError
from netdef.rng import Stream

EXACT = 1 << 24
"""Whole numbers beyond it are not all float32."""


class Job(NamedTuple):
    """What a batch is a function of: where in the sequence of records it begins, the number of the pass, the net's seed."""

    position: int
    iteration: int
    seed: int

    def following(self, count: int) -> Job:
        """The job of the next pass, after ``count`` records."""
        return Job(self.position + count, self.iteration + 1, self.seed)


class Steps(NamedTuple):
    """What is done to each record, in this order."""

    resize: tuple[int, int] | None
    """height and width"""
    augment: Augment | None
    transformer: Transformer

    @property
    def ragged(self) -> bool:
        """Whether records may differ in size, since they come out with one."""
        resizing = self.augment is not None and self.augment.size is not None
        return self.resize is not None or resizing or self.transformer.crop_size > 0

    def output_shape(self, shape: Shape) -> Shape:
        """The shape (C, H, W) that a record of ``shape`` comes out with. Raises FieldError, DataError."""
        if self.resize is not None:
            shape = (shape[0], *self.resize)
        if self.augment is not None:
            shape = self.augment.output_shape(shape)
        return self.transformer.output_shape(shape)


class Reader:
    """Makes batches of ``size`` records of a source; ``make`` may be called by several threads at once.

    ``name`` is the layer's: it keys the random draws. ``new`` gives the arrays that batches are written into.
    """

    def __init__(self, source: Source, order: Order, steps: Steps, size: int, name: str, dtype: str | np.dtype = "float32",
                 new: Callable[[tuple[int, ...]], np.ndarray] | None = None) -> None:
        self.source, self.order, self.steps, self.size, self.name = source, order, steps, size, name
        self.dtype = np.dtype(dtype)
        self._new = new or (lambda shape: np.empty(shape, self.dtype))
        self._lock = threading.RLock()  # only one thread may fetch, or count

    def make(self, job: Job) -> tuple[np.ndarray, np.ndarray]:
        """The batch of a job: data (size, C, H, W) and labels (size, ...) of the net's dtype. Raises DataError."""
        positions = self.order.positions(job.seed, job.position, self.size)
        with self._lock:
            fetched = self.source.fetch(positions)
        steps = self.steps
        images: Any
        if steps.ragged and steps.augment is None:
            images, labels = self.source.later(fetched)
        else:
            images, labels = self.source.assemble(fetched, steps.ragged)
        self._check_labels(labels, job)
        if steps.resize is not None:
            images = [resized(image, *steps.resize) for image in images]
        if steps.augment is not None:
            if steps.resize is not None:
                images = [window(image, (0, 0, *steps.resize)) for image in images]
            images = steps.augment(images, job.seed, job.iteration)
        shape = self._shape(images, job)
        out = self._new((self.size, *shape))
        steps.transformer(images, Stream(job.seed, self.name, job.iteration), out)
        return out, labels.astype(self.dtype)

    def index(self, job: Job, item: int) -> int:
        """The number of the record that is item ``item`` of a job's batch."""
        with self._lock:
            return int(self.order.positions(job.seed, job.position + item, 1)[0]) % len(self.source)

    def close(self) -> None:
        """Let go of the source's files."""
        self.source.close()

    def _shape(self, images: Images, job: Job) -> Shape:
        """The shape (C, H, W) of the batch's items; an error is about the first record that does not fit."""
        found: Shape | None = None
        for item, image in enumerate(images if isinstance(images, list) else images[:1]):
            try:
                shape = self.steps.transformer.output_shape((image.shape[0], image.shape[1], image.shape[2]))
            except (FieldError, DataError) as error:
                raise self._bad(job, item, error.message, error.hint) from error
            if found not in (None, shape):
                raise self._bad(job, item, f"expected the shape {found} of the batch's first record, got {shape}")
            found = shape
        assert found is not None
        return found

    def _check_labels(self, labels: np.ndarray, job: Job) -> None:
        """Class numbers must be exact in the net's dtype."""
        if labels.dtype.kind in "iu" and self.dtype == np.float32 and labels.size:
            wrong = np.flatnonzero(np.abs(labels.astype(np.int64)) > EXACT)
            if len(wrong):
                item = int(wrong[0]) // (labels.size // len(labels))
                raise self._bad(job, item, f"the label {labels.reshape(-1)[wrong[0]]} is out of range: a net of float32 "
                                f"holds whole numbers up to {EXACT}")

    def _bad(self, job: Job, item: int, message: str, hint: str = "") -> DataError:
        with self._lock:
            who = self.source.where(self.index(job, item))
        error = DataError(f"{who}: {message}", where=self.source.name, hint=hint)
        error.item = item
        return error
