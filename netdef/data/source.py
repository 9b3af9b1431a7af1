"""What every data source offers (``Source``), the base class that gives most of it, and the source over arrays in memory."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from netdef.data.later import Later
from netdef.errors import DataError

Shape = tuple[int, int, int]
Images = np.ndarray | list[np.ndarray]


@dataclass(frozen=True)
class Peek:
    """What is known of a source before any batch is read."""

    shape: Shape
    """Channels, height, width of the first record."""
    count: int | None
    """Records; None where counting would mean reading everything (LevelDB, CSV)."""
    label: bool
    """Whether records carry a label or target."""
    kind: str
    """"builtin", "lmdb", "leveldb", "idx", "csv", ...: the word before the colon."""
    label_shape: tuple[int, ...] = ()
    """Shape of one label: () for a class number, (7,) for a vector of seven targets."""


@runtime_checkable
class Source(Protocol):
    """Records in a fixed order, numbered from 0. Arrays that come out may be read-only.

    A batch is read in two steps, so that threads can share a source: ``fetch`` by one thread at a time, ``assemble``
    (decoding) by any number of them.
    """

    name: str
    kind: str
    shape: Shape
    """Channels, height, width of record 0."""
    label_shape: tuple[int, ...]
    """Shape of one label; () for class numbers."""
    has_labels: bool
    """Whether records carry labels; where not, the labels of a batch are zeros."""
    class_names: Sequence[str]
    """Names of the classes by their number; empty where the source knows none."""
    in_memory: bool
    """Whether batches are merely copied from memory, so that reading ahead gains nothing."""

    def __len__(self) -> int:
        """How many records there are."""

    def __iter__(self) -> Iterator[tuple[np.ndarray, int | np.ndarray]]:
        """Every record once, in order."""

    def record(self, index: int) -> tuple[np.ndarray, int | np.ndarray]:
        """One record: an array (C, H, W), uint8 or float32, and its label. Raises IndexError, DataError."""

    def batch(self, start: int, count: int, ragged: bool = False) -> tuple[Images, np.ndarray]:
        """``count`` records from number ``start`` on, going round at the end (``start`` may lie beyond it).

        Returns an array (count, C, H, W) and labels (count, *label_shape): int32 class numbers or float32 targets.
        Records of different sizes are a DataError, or with ``ragged`` give a list of arrays (and so may decoded pictures of
        one size); records of different numbers of channels are always a DataError.
        Reading on where the last batch ended is fast; any other start may mean stepping there.
        """

    def take(self, positions: Sequence[int] | np.ndarray, ragged: bool = False) -> tuple[Images, np.ndarray]:
        """As ``batch``, of the records at any positions, each counted round the end."""

    def fetch(self, positions: Sequence[int] | np.ndarray) -> Any:
        """The first step of ``take``: what is to be decoded. Not for two threads at once. Raises DataError."""

    def assemble(self, fetched: Any, ragged: bool = False) -> tuple[Images, np.ndarray]:
        """The second step of ``take``, which may run on any thread. Raises DataError."""

    def later(self, fetched: Any) -> tuple[Images | list[np.ndarray | Later], np.ndarray]:
        """As ``assemble`` with ``ragged``, but pictures may be decoded when they are asked for."""

    def labels(self) -> np.ndarray:
        """The labels of all records, (N, *label_shape); may mean reading everything once."""

    def where(self, index: int) -> str:
        """What messages call record ``index``: "record 5", "line 6 ('cat.png')"."""

    def close(self) -> None:
        """Let go of files; a source may be closed twice."""

    def peek(self) -> Peek:
        """What ``netdef.data.peek`` returns."""


class Records:
    """Base of sources: a class gives ``__len__``, ``fetch``, ``assemble``, ``labels`` and the attributes of Source."""

    name: str
    kind: str
    shape: Shape
    label_shape: tuple[int, ...] = ()
    has_labels = True
    class_names: Sequence[str] = ()
    in_memory = False

    def __len__(self) -> int:
        raise NotImplementedError

    def fetch(self, positions: Sequence[int] | np.ndarray) -> Any:
        """See Source."""
        raise NotImplementedError

    def assemble(self, fetched: Any, ragged: bool = False) -> tuple[Images, np.ndarray]:
        """See Source."""
        raise NotImplementedError

    def labels(self) -> np.ndarray:
        """See Source."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[tuple[np.ndarray, int | np.ndarray]]:
        """See Source."""
        for index in range(len(self)):
            yield self.record(index)

    def record(self, index: int) -> tuple[np.ndarray, int | np.ndarray]:
        """See Source."""
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name}: no record {index}, there are {len(self)}")
        images, labels = self.take(range(index, index + 1))
        return images[0], labels[0] if self.label_shape else int(labels[0])

    def batch(self, start: int, count: int, ragged: bool = False) -> tuple[Images, np.ndarray]:
        """See Source."""
        return self.take(range(start, start + count), ragged)

    def take(self, positions: Sequence[int] | np.ndarray, ragged: bool = False) -> tuple[Images, np.ndarray]:
        """See Source."""
        return self.assemble(self.fetch(positions), ragged)

    def later(self, fetched: Any) -> tuple[Images | list[np.ndarray | Later], np.ndarray]:
        """As ``assemble`` with ``ragged``, but pictures may be decoded when they are asked for."""
        return self.assemble(fetched, ragged=True)

    def where(self, index: int) -> str:
        """See Source."""
        return f"record {index}"

    def close(self) -> None:
        """Nothing to let go of."""

    def peek(self) -> Peek:
        """Shape and count."""
        return Peek(self.shape, len(self), self.has_labels, self.kind, self.label_shape)


class ArraySource(Records):
    """A source over two arrays: ``images`` (N, C, H, W) and ``labels`` (N, ...), or None for records without labels."""

    in_memory = True

    def __init__(self, name: str, images: np.ndarray, labels: np.ndarray | None, kind: str = "builtin",
                 class_names: Sequence[str] = ()) -> None:
        self.has_labels = labels is not None
        labels = np.zeros(len(images), np.int32) if labels is None else labels
        if images.ndim != 4 or len(images) != len(labels) or not len(images):
            raise ValueError(f"{name}: expected N x C x H x W and N labels, got {images.shape} and {labels.shape}")
        self.name, self.kind, self.class_names = name, kind, class_names
        self.images, self._labels = images, labels
        self.shape: Shape = (images.shape[1], images.shape[2], images.shape[3])
        self.label_shape: tuple[int, ...] = labels.shape[1:]

    def __len__(self) -> int:
        return len(self.images)

    def labels(self) -> np.ndarray:
        """See Source."""
        return self._labels

    def fetch(self, positions: Sequence[int] | np.ndarray) -> Any:
        """See Source."""
        return positions

    def assemble(self, fetched: Any, ragged: bool = False) -> tuple[Images, np.ndarray]:
        """See Source; views of the arrays for a run of records that does not go round the end."""
        if isinstance(fetched, range) and fetched.step == 1:
            first = fetched.start % len(self)
            if first + len(fetched) <= len(self):
                return self.images[first: first + len(fetched)], self._labels[first: first + len(fetched)]
        index = np.asarray(fetched, np.int64) % len(self)
        return self.images[index], self._labels[index]


def check_channels(arrays: Sequence[np.ndarray | Later], shape: Shape, who: Callable[[int], str], name: str) -> None:
    """Raise DataError for records with another number of channels than the source's first."""
    for place, array in enumerate(arrays):
        if array.shape[0] != shape[0]:
            raise DataError(f"{who(place)}: expected {shape[0]} channels, as in the first record, got {array.shape[0]}",
                            where=name, hint="force_color or force_gray in transform_param makes encoded pictures alike")


def stacked(arrays: list[np.ndarray], shape: Shape, ragged: bool, who: Callable[[int], str], name: str) -> Images:
    """Decoded records (C, H, W) as one array; as they are where ``ragged`` and they differ in size, or are views of pictures
    that would be copied for nothing.

    ``shape`` is that of the source's first record, ``who`` what messages call the record at a place. Raises DataError.
    """
    if not arrays:
        return np.empty((0, *shape), np.uint8)
    first = arrays[0]
    if ragged:
        check_channels(arrays, shape, who, name)
    for place, array in enumerate(arrays):
        if not ragged and array.shape != first.shape:
            raise DataError(f"{who(place)}: expected the size of the batch's first record, {x(first.shape)}, got "
                            f"{x(array.shape)}", where=name,
                            hint="new_height and new_width, or crop_size, bring pictures to one size")
    alike = all(a.shape == first.shape and a.dtype == first.dtype and a.flags.c_contiguous for a in arrays)
    return arrays if ragged and not alike else np.stack(arrays)


def as_image_shape(shape: Sequence[int]) -> Shape:
    """Rows of any rank up to 3 as (C, H, W): a number (1, 1, 1), a vector (F, 1, 1), a plane (1, H, W).

    Raises ValueError for more axes, and for none of any size.
    """
    sizes = tuple(int(n) for n in shape)
    if len(sizes) > 3 or 0 in sizes:
        raise ValueError(f"expected records of up to 3 axes (channels, height, width), got {x(sizes)}")
    found = (1, *sizes) if len(sizes) == 2 else (*sizes, 1, 1, 1)[:3]
    return found[0], found[1], found[2]


def x(shape: Sequence[int]) -> str:
    """A shape for messages: 3x32x32."""
    return "x".join(map(str, shape)) or "one number"
