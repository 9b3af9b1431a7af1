"""Rows from HDF5 files, read through the optional package h5py: a list of files, datasets picked by name.

Axis 0 of a dataset counts its rows, which may be of any shape. A file is read whole when its turn comes.
"""
from __future__ import annotations

import os
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np

from netdef.config import paths
from netdef.errors import ConfigError, DataError
from netdef.rng import Stream


class RowsPeek(NamedTuple):
    """What is known of a list before any row is read."""

    files: tuple[str, ...]
    rows: tuple[int, ...]
    """rows in each file"""
    shapes: tuple[tuple[int, ...], ...]
    """the shape of one row of each dataset"""


class Hdf5Rows:
    """The rows of all files of a list, one after another and round again.

    ``shuffle``: in each round the files come in another order, and the rows of each file too; rows of different files
    are never mixed. The order depends on seed, ``name`` and number of the round alone.
    """

    def __init__(self, found: RowsPeek, datasets: Sequence[str], shuffle: bool = False, seed: int = 0,
                 name: str = "") -> None:
        self.found = found
        self.datasets = list(datasets)
        self.shuffle = shuffle
        self.seed = seed
        self.name = name
        self._held: tuple[int, list[np.ndarray]] | None = None  # the file that was read last
        self._orders: dict[str, tuple[tuple[int, int], np.ndarray]] = {}  # the order that was made last, of each kind

    def __len__(self) -> int:
        return sum(self.found.rows)

    def fill(self, start: int, out: Sequence[np.ndarray]) -> None:
        """Put the rows from number ``start`` on into ``out``, an array (rows, ...) a dataset. Raises DataError."""
        done, count = 0, len(out[0])
        while done < count:
            file, rows = self._from(start + done)
            rows = rows[: count - done]
            for array, dataset in zip(out, self._read(file), strict=True):
                array[done: done + len(rows)] = dataset[rows]
            done += len(rows)

    def record(self, row: int) -> int:
        """Which row of the list it is that comes as number ``row``, counted through all files in the list's order."""
        file, rows = self._from(row)
        return sum(self.found.rows[:file]) + int(rows[0])

    def close(self) -> None:
        """Let go of the file that is held in memory."""
        self._held = None

    def _from(self, row: int) -> tuple[int, np.ndarray]:
        """The file in which row number ``row`` lies, and that row and the rest of the file's rows in their order."""
        round_number, left = divmod(row, len(self))
        for k in self._order("files", round_number, 0, len(self.found.files)):
            file = int(k)
            n = self.found.rows[file]
            if left < n:
                return file, self._order("rows", round_number, file, n)[left:]
            left -= n
        raise AssertionError("a round has as many rows as the files together")

    def _order(self, what: str, round_number: int, file: int, n: int) -> np.ndarray:
        """0 to n - 1, shuffled where that is asked for; kept until another is wanted."""
        key = (round_number, file) if self.shuffle else (0, file)
        if what not in self._orders or self._orders[what][0] != key:
            stream = Stream(self.seed, f"{self.name}/{what}/{file}", round_number)
            self._orders[what] = key, stream.permutation(n) if self.shuffle else np.arange(n)
        return self._orders[what][1]

    def _read(self, file: int) -> list[np.ndarray]:
        if self._held is None or self._held[0] != file:
            self._held = None  # two files at once may be more than memory holds
            self._held = file, _load(self.found.files[file], self.datasets)
        return self._held[1]


def read_list(path: str | os.PathLike[str]) -> list[str]:
    """The files that a text file names, one a line; a relative name is looked for beside the list, then in the working
    directory. Raises DataError."""
    try:
        with open(path, encoding="utf-8") as file:
            names = [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the list of HDF5 files cannot be read: {error}", where=str(path),
                        hint="it is a text file with the name of one HDF5 file a line") from error
    if not names:
        raise DataError("the list names no HDF5 file", where=str(path))
    try:
        return [str(paths.resolve(name, path)) for name in names]
    except ConfigError as error:
        raise DataError(error.message, where=str(path), hint=error.hint) from error


def peek_rows(files: Sequence[str], datasets: Sequence[str]) -> RowsPeek:
    """Look into every file: the datasets must be there, of numbers, with as many rows each, and alike in all files.

    Raises DataError.
    """
    shapes: list[tuple[int, ...]] = []
    rows = []
    for path in files:
        with open_file(path) as file:
            found = [_shape(file, name, path) for name in datasets]
        counts = {shape[0] for shape in found}
        if len(counts) > 1:
            text = ", ".join(f"'{n}' {s[0]}" for n, s in zip(datasets, found, strict=True))
            raise DataError(f"expected datasets with as many rows each, got {text}", where=path)
        tails = [shape[1:] for shape in found]
        for name, old, new in zip(datasets, shapes, tails, strict=False):
            if old != new:
                raise DataError(f"dataset '{name}': expected rows of shape {old}, as in '{files[0]}', got {new}",
                                where=path)
        shapes = tails
        rows.append(counts.pop())
    if not sum(rows):
        raise DataError("there are no rows", where=files[0])
    return RowsPeek(tuple(files), tuple(rows), tuple(shapes))


def is_hdf5(path: str) -> bool:
    """Whether a file begins like HDF5 (else it may be a list of such files)."""
    try:
        with open(path, "rb") as file:
            return file.read(8) == b"\x89HDF\r\n\x1a\n"
    except OSError:
        return False


def dataset_names(path: str) -> list[str]:
    """What a file has at its top. Raises DataError."""
    with open_file(path) as file:
        return list(file)


def _shape(file, name: str, path: str) -> tuple[int, ...]:
    """The shape of a dataset; raises DataError where there is none, or no numbers in it."""
    dataset = file.get(name)
    if dataset is None or not hasattr(dataset, "dtype"):
        there = ", ".join(f"'{k}'" for k in file) or "nothing"
        raise DataError(f"no dataset '{name}', the name of a top; the file has {there}", where=path)
    if dataset.dtype.kind not in "fiub" or not dataset.shape:
        raise DataError(f"dataset '{name}': expected rows of numbers, got shape {dataset.shape} of type "
                        f"{dataset.dtype}", where=path)
    return tuple(int(n) for n in dataset.shape)


def _load(path: str, datasets: Sequence[str]) -> list[np.ndarray]:
    with open_file(path) as file:
        try:
            return [np.asarray(file[name]) for name in datasets]
        except (OSError, KeyError) as error:
            raise DataError(f"the HDF5 file cannot be read: {error}", where=path) from error


def open_file(path: str):
    """The file, open for reading. Raises DataError."""
    h5py = package(path)
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"the HDF5 file cannot be opened: {error}", where=path) from error


def package(path: str, what: str = "reading") -> ModuleType:
    """The package h5py. Raises DataError where it is not installed."""
    try:
        import h5py
    except ImportError as error:
        raise DataError(f"{what} HDF5 needs the package h5py, which is not installed", where=path,
                        hint="pip install netdef[data]") from error
    return h5py
