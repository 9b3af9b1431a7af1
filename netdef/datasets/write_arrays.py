"""Writes data sets that are arrays in a file: .npz, HDF5 and IDX. Records are gathered in plain files first, so that a job
that was killed can go on, and become the one file at the end."""
from __future__ import annotations

import contextlib
import gzip
import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from netdef.datasets.records import Record
from netdef.datasets.target import MADE
from netdef.errors import DataError
from netdef.weights.atomic import atomic_write

_CHUNK = 1 << 24  # bytes copied at a time


class ArrayWriter:
    """See Writer. State: shapes, types and the number of records."""

    def __init__(self, folder: Path, state: dict[str, Any]) -> None:
        self._folder = folder / MADE
        self._folder.mkdir(exist_ok=True)
        self.count = int(state.get("records", 0))
        self._rows = [_Rows(self._folder / f"{name}.bin", state.get(name), self.count) for name in ("data", "label")]

    def add(self, number: int, record: Record) -> None:
        """See Writer. Raises ValueError for a record of another shape than the first."""
        if record.boxes is not None:
            raise ValueError("boxes can only be written into an LMDB")
        label = np.asarray(record.label)
        pair = record.array(), label.astype(np.int32 if label.dtype.kind in "iu" else np.float32)
        for rows, array, what in zip(self._rows, pair, ("record", "label"), strict=True):
            rows.check(array, what)
        for rows, array in zip(self._rows, pair, strict=True):
            rows.add(array)
        self.count += 1

    def commit(self) -> dict[str, Any]:
        """See Writer."""
        for rows in self._rows:
            rows.sync()
        return {"records": self.count, "data": self._rows[0].state(), "label": self._rows[1].state()}

    def close(self) -> None:
        """See Writer. What does not fit on the disk any more was not committed either."""
        for rows in self._rows:
            with contextlib.suppress(OSError):
                rows.file.close()

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Records (N, C, H, W) and labels (N, ...), mapped from the files."""
        self.close()
        if not self.count:
            raise DataError("there are no records to write")
        data, label = (rows.mapped(self.count) for rows in self._rows)
        return data, label

    def finish(self, out: Path, classes: Sequence[str] | None) -> list[Path]:
        """See Writer."""
        raise NotImplementedError


class NpzWriter(ArrayWriter):
    """A .npz with the arrays ``data``, ``label`` and, where the classes have names, ``classes``."""

    def finish(self, out: Path, classes: Sequence[str] | None) -> list[Path]:
        """See Writer."""
        data, label = self.arrays()
        with atomic_write(out) as file:
            if classes:
                np.savez(file, data=data, label=label, classes=np.array(list(classes)))
            else:
                np.savez(file, data=data, label=label)
        return [out]


class Hdf5Writer(ArrayWriter):
    """An HDF5 file with the datasets ``data`` and ``label``, and beside it the list that HDF5Data reads."""

    def __init__(self, folder: Path, state: dict[str, Any]) -> None:
        try:
            import h5py
        except ImportError as error:
            raise DataError("writing HDF5 needs the package h5py, which is not installed",
                            hint="pip install netdef[data], or write .npz") from error
        self._h5py: Any = h5py
        super().__init__(folder, state)

    def finish(self, out: Path, classes: Sequence[str] | None) -> list[Path]:
        """See Writer."""
        data, label = self.arrays()
        with atomic_write(out) as target:
            made = self._folder / "made.h5"
            try:
                self._write(made, data, label, classes)
            except RuntimeError as error:  # a full disk that HDF5 notices when it closes the file
                found = re.search(r"errno = (\d+)", str(error))
                if found is None:
                    raise
                raise OSError(int(found[1]), os.strerror(int(found[1]))) from error
            with open(made, "rb") as source:
                while piece := source.read(_CHUNK):
                    target.write(piece)
        listed = out.with_name(out.name + ".txt")
        with atomic_write(listed, "w") as file:
            file.write(f"{out.name}\n")
        return [out, listed]

    def _write(self, path: Path, data: np.ndarray, label: np.ndarray, classes: Sequence[str] | None) -> None:
        with self._h5py.File(path, "w") as file:
            for name, array in (("data", data), ("label", label)):
                dataset = file.create_dataset(name, array.shape, array.dtype)
                for start, rows in _runs(array):
                    dataset[start: start + len(rows)] = rows
            if classes:
                file["classes"] = list(classes)


class IdxWriter(ArrayWriter):
    """Two IDX files, as MNIST's: ``...images...`` is the name given, the labels' has ``labels`` in its place."""

    def finish(self, out: Path, classes: Sequence[str] | None) -> list[Path]:
        """See Writer. Raises DataError for values that IDX files of pictures do not hold."""
        data, label = self.arrays()
        if data.dtype != np.uint8 or label.ndim != 1 or label.dtype.kind != "i" or label.min() < 0 or label.max() > 255:
            raise DataError("IDX files are written of pixels 0 to 255 and class numbers 0 to 255 alone", where=str(out),
                            hint="write .npz or .h5")
        paths = label_file(out), out
        for path, array in zip(paths, (label.astype(np.uint8), data[:, 0] if data.shape[1] == 1 else data), strict=True):
            with atomic_write(path) as file:
                if path.name.endswith(".gz"):
                    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                        _idx(packed, array)
                else:
                    _idx(file, array)
        return [out, paths[0]]


def label_file(images: Path) -> Path:
    """The file of labels that belongs to an IDX file of images, as MNIST names them. Raises DataError."""
    name = images.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1")
    if "images" not in images.name:
        raise DataError("expected 'images' in the name of the IDX file, where the file of labels has 'labels'",
                        where=str(images), hint="for example train-images-idx3-ubyte")
    return images.with_name(name)


class _Rows:
    """Rows of one shape and type in a plain file."""

    def __init__(self, path: Path, state: dict[str, Any] | None, count: int) -> None:
        self.path = path
        self.shape: tuple[int, ...] | None = tuple(state["shape"]) if state else None
        self.dtype = np.dtype(state["dtype"]) if state else np.dtype(np.uint8)
        self.file: IO[bytes] = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115  closed by close()
        self.file.truncate(count * self._size())
        self.file.seek(0, os.SEEK_END)

    def check(self, array: np.ndarray, what: str) -> None:
        """Raise ValueError for a row of another shape or type than the first."""
        if self.shape is None:
            self.shape, self.dtype = array.shape, array.dtype
        elif array.shape != self.shape:
            alike = len(array.shape) == 3 and array.shape[0] == self.shape[0]
            hint = "; --resize HEIGHTxWIDTH makes pictures alike" if alike else "; --gray makes one channel"
            hint = hint if what == "record" else ""
            raise ValueError(f"expected a {what} of {_x(self.shape)}, as the first, got {_x(array.shape)}{hint}")
        elif array.dtype != self.dtype:
            raise ValueError(f"expected a {what} of {self.dtype}, as the first, got {array.dtype}")

    def add(self, array: np.ndarray) -> None:
        """Append a row."""
        self.file.write(np.ascontiguousarray(array).tobytes())

    def sync(self) -> None:
        """What was appended is on the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def state(self) -> dict[str, Any] | None:
        """Shape and type, once there is a row."""
        return None if self.shape is None else {"shape": list(self.shape), "dtype": self.dtype.str}

    def mapped(self, count: int) -> np.ndarray:
        """All rows."""
        return np.memmap(self.path, self.dtype, "r", shape=(count, *(self.shape or ())))

    def _size(self) -> int:
        return 0 if self.shape is None else int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


def _idx(file: Any, array: np.ndarray) -> None:
    """Write a uint8 array as an IDX file."""
    file.write(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape))
    for _, rows in _runs(array):
        file.write(np.ascontiguousarray(rows).tobytes())


def _runs(array: np.ndarray) -> Any:
    """(start, rows) through an array, some megabytes at a time."""
    step = max(1, _CHUNK // max(1, array[:1].nbytes))
    return ((start, array[start: start + step]) for start in range(0, len(array), step))


def _x(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"
