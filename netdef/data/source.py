"""What every data source offers (``Source``), and the source over arrays in memory."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class Peek:
    """What is known of a source before any batch is read."""

    shape: tuple[int, int, int]
    """Channels, height, width of the first record."""
    count: int | None
    """Records; None where counting would mean reading the whole database (LevelDB)."""
    label: bool
    """Whether records carry a label or target."""
    kind: str
    """"builtin", "lmdb" or "leveldb"."""
    label_shape: tuple[int, ...] = ()
    """Shape of one label: () for a class number, (7,) for a vector of seven targets."""


@runtime_checkable
class Source(Protocol):
    """Records in a fixed order, numbered from 0. Arrays that come out may be read-only."""

    name: str
    kind: str
    shape: tuple[int, int, int]
    """Channels, height, width of record 0."""
    label_shape: tuple[int, ...]
    """Shape of one label; () for class numbers."""

    def __len__(self) -> int:
        """How many records there are."""

    def record(self, index: int) -> tuple[np.ndarray, int | np.ndarray]:
        """One record: an array (C, H, W), uint8 or float32, and its label. Raises IndexError, DataError."""

    def batch(
        self, start: int, count: int, ragged: bool = False
    ) -> tuple[np.ndarray | list[np.ndarray], np.ndarray]:
        """``count`` records from number ``start`` on, going round at the end (``start`` may lie beyond it).

        Returns an array (count, C, H, W) and labels (count, *label_shape): int32 class numbers or float32 targets.
        Records of different sizes are a DataError, or with ``ragged`` give a list of arrays. Reading on where the last
        batch ended is fast; any other start may mean stepping there.
        """

    def close(self) -> None:
        """Let go of files; a source may be closed twice."""

    def peek(self) -> Peek:
        """What ``netdef.data.peek`` returns."""


class ArraySource:
    """A source over two arrays: ``images`` (N, C, H, W) and ``labels`` (N, ...)."""

    kind = "builtin"

    def __init__(self, name: str, images: np.ndarray, labels: np.ndarray) -> None:
        if images.ndim != 4 or len(images) != len(labels) or not len(images):
            raise ValueError(f"{name}: expected N x C x H x W and N labels, got {images.shape} and {labels.shape}")
        self.name = name
        self.images, self.labels = images, labels
        self.shape: tuple[int, int, int] = (images.shape[1], images.shape[2], images.shape[3])
        self.label_shape: tuple[int, ...] = labels.shape[1:]

    def __len__(self) -> int:
        return len(self.images)

    def record(self, index: int) -> tuple[np.ndarray, int | np.ndarray]:
        """Record ``index`` (from 0); raises IndexError."""
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name}: no record {index}, there are {len(self)}")
        label = self.labels[index]
        return self.images[index], label if self.label_shape else int(label)

    def batch(
        self, start: int, count: int, ragged: bool = False
    ) -> tuple[np.ndarray | list[np.ndarray], np.ndarray]:
        """See Source; views of the arrays where the batch does not go round the end."""
        first = start % len(self)
        if first + count <= len(self):
            return self.images[first : first + count], self.labels[first : first + count]
        index = np.arange(first, first + count) % len(self)
        return self.images[index], self.labels[index]

    def close(self) -> None:
        """Nothing to let go of."""

    def peek(self) -> Peek:
        """Shape and count."""
        return Peek(self.shape, len(self), True, self.kind, self.label_shape)
