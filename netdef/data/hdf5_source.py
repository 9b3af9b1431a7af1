"""HDF5 files as records: ``hdf5:train.h5``, or ``hdf5:list.txt`` for several files, one a line.

The datasets are called data and label unless ``data=`` and ``label=`` say otherwise; several labels stand side by side. Rows
are read from the file when they are asked for. (HDF5Data gives whole datasets of any rank to tops of their names.)
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netdef.data import hdf5
from netdef.data.arrays import columns
from netdef.data.source import Images, Records, as_image_shape
from netdef.data.spelling import Spelling
from netdef.errors import DataError


def open_hdf5(spelling: Spelling) -> Hdf5Source:
    """The rows of one HDF5 file, or of those that a list names. Raises DataError."""
    path = spelling.paths[0]
    files = [path] if hdf5.is_hdf5(path) else hdf5.read_list(path)
    data, labels = spelling.option("data", "data"), spelling.every("label")
    if not labels and "label" in hdf5.dataset_names(files[0]):
        labels = ["label"]
    return Hdf5Source(spelling.source, files, data, [name for name in labels if name != "none"])


class Hdf5Source(Records):
    """Rows of the datasets ``data`` and ``label_names`` of several files, one after another."""

    kind = "hdf5"

    def __init__(self, name: str, files: Sequence[str], data: str, label_names: Sequence[str]) -> None:
        self.name = name
        self.found = hdf5.peek_rows(files, [data, *label_names])
        self._names = [data, *label_names]
        self.has_labels = bool(label_names)
        self._open: tuple[int, Any] | None = None  # the file that was read last
        self._starts = np.cumsum([0, *self.found.rows])
        try:
            self.shape = as_image_shape(self.found.shapes[0])
        except ValueError as error:
            raise DataError(f"dataset '{data}': {error}", where=files[0], hint="HDF5Data takes rows of any rank") from error
        _, labels = self.take(range(1))
        self.label_shape = labels.shape[1:]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def fetch(self, positions: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See Source; the rows of each dataset."""
        index = np.asarray(positions, np.int64) % len(self)
        files = np.searchsorted(self._starts, index, side="right") - 1
        parts: list[list[np.ndarray]] = [[] for _ in self._names]
        k = 0
        while k < len(index):
            file, row = int(files[k]), int(index[k] - self._starts[files[k]])
            n = 1
            while k + n < len(index) and files[k + n] == file and index[k + n] == index[k] + n:
                n += 1
            for part, name in zip(parts, self._names, strict=True):
                part.append(self._rows(file, name, row, n))
            k += n
        return [np.concatenate(part) if part else np.empty((0, *shape))
                for part, shape in zip(parts, self.found.shapes, strict=True)]

    def assemble(self, fetched: list[np.ndarray], ragged: bool = False) -> tuple[Images, np.ndarray]:
        """See Source."""
        data, *labels = fetched
        images = data.reshape(len(data), *self.shape).astype(np.uint8 if data.dtype == np.uint8 else np.float32, copy=False)
        if not labels:
            return images, np.zeros(len(data), np.int32)
        return images, columns([_numbers(part) for part in labels])

    def labels(self) -> np.ndarray:
        """See Source."""
        if not self.has_labels:
            return np.zeros(len(self), np.int32)
        parts = [np.concatenate([self._rows(file, name, 0, n) for file, n in enumerate(self.found.rows)])
                 for name in self._names[1:]]
        return columns([_numbers(part) for part in parts])

    def close(self) -> None:
        """See Source."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _rows(self, file: int, name: str, row: int, n: int) -> np.ndarray:
        if self._open is None or self._open[0] != file:
            self.close()
            self._open = file, hdf5.open_file(self.found.files[file])
        try:
            return np.asarray(self._open[1][name][row: row + n])
        except (OSError, KeyError) as error:
            raise DataError(f"record {self._starts[file] + row}: the HDF5 file cannot be read: {error}",
                            where=self.found.files[file]) from error


def _numbers(part: np.ndarray) -> np.ndarray:
    """Labels as int32 or float32, (N, 1) as (N): floats that are whole numbers are class numbers."""
    part = part.reshape(len(part)) if part.size == len(part) else part
    if part.dtype.kind == "f" and part.ndim == 1 and not (part == np.rint(part)).all():
        return part.astype(np.float32)
    return part.astype(np.float32 if part.ndim > 1 and part.dtype.kind == "f" else np.int32)
