"""Sources over picture files, decoded when they are asked for: ``folder:pets`` and ``list:train.txt,root=images``.

A folder has a folder of pictures for each class, numbered in the order of the alphabet or of the file that ``classes=``
names. A list has a picture's path and its label on each line, parted by the last space; ``labels=3`` says that each line
has three labels.
"""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from netdef.data.images import SUFFIXES, read_file, read_image
from netdef.data.labels import read_labels
from netdef.data.later import Later, jpeg
from netdef.data.source import Images, Peek, Records, Shape, check_channels, stacked
from netdef.data.spelling import Spelling
from netdef.errors import DataError, did_you_mean


class Pictures(NamedTuple):
    """Picture files and what is known of them."""

    paths: list[str]
    labels: np.ndarray
    """(N) or (N, k), int32 or float32"""
    lines: list[int]
    """the line of the list that names each; empty where no list does"""
    class_names: Sequence[str] = ()
    folders: tuple[str, ...] = ("",)
    """put before each path, the first one with which it leads to a file"""


class PictureSource(Records):
    """Picture files as records (C, H, W) uint8: blue, green, red, or one channel with ``gray``."""

    def __init__(self, name: str, kind: str, pictures: Pictures, gray: bool = False, first: int = 0) -> None:
        self.name, self.kind, self.gray = name, kind, gray
        self.pictures = pictures
        self.class_names = pictures.class_names
        self.label_shape = pictures.labels.shape[1:]
        self._folder = 0
        shape = self._read(first).shape
        self.shape: Shape = (shape[0], shape[1], shape[2])

    def __len__(self) -> int:
        return len(self.pictures.paths)

    def labels(self) -> np.ndarray:
        """See Source."""
        return self.pictures.labels

    def fetch(self, positions: Sequence[int] | np.ndarray) -> list[int]:
        """See Source."""
        return [int(position) % len(self) for position in positions]

    def assemble(self, fetched: list[int], ragged: bool = False) -> tuple[Images, np.ndarray]:
        """See Source."""
        arrays = [self._read(index) for index in fetched]
        return stacked(arrays, self.shape, ragged, lambda i: self.where(fetched[i]), self.name), self.pictures.labels[fetched]

    def later(self, fetched: list[int]) -> tuple[list[np.ndarray | Later], np.ndarray]:
        """See Source."""
        made = [self._later(index) for index in fetched]
        check_channels(made, self.shape, lambda i: self.where(fetched[i]), self.name)
        return made, self.pictures.labels[fetched]

    def where(self, index: int) -> str:
        """See Source."""
        lines, path = self.pictures.lines, self.pictures.paths[index]
        return f"record {index} (line {lines[index]}, '{path}')" if lines else f"record {index} ('{path}')"

    def peek(self) -> Peek:
        """See Source."""
        return Peek(self.shape, len(self), True, self.kind, self.label_shape)

    def path(self, index: int) -> str:
        """The file of a record: the first folder's in which it is there, or the first folder's where it is in none."""
        name, folders = self.pictures.paths[index], self.pictures.folders
        for k in (self._folder, *range(len(folders))):
            if os.path.exists(folders[k] + name):
                self._folder = k  # most likely that of the others too
                return folders[k] + name
        return folders[0] + name

    def _read(self, index: int) -> np.ndarray:
        """The picture (C, H, W). Raises DataError that names the record, and the line of its list."""
        path = self.path(index)
        try:
            return read_image(path, not self.gray).transpose(2, 0, 1)
        except DataError as error:
            raise self._bad(index, path, error) from error

    def _later(self, index: int) -> np.ndarray | Later:
        """As ``_read``, decoded when it is asked for."""
        path = self.path(index)
        try:
            raw = read_file(path)
            found = None if self.gray else jpeg(raw, True, lambda e: self._bad(index, path, DataError(str(e), where=path)))
            return read_image(raw, not self.gray).transpose(2, 0, 1) if found is None else found
        except DataError as error:
            error.where = path
            raise self._bad(index, path, error) from error

    def _bad(self, index: int, path: str, error: DataError) -> DataError:
        """The error about a picture, with the number of the record and the line that names it."""
        lines = self.pictures.lines
        place = f" '{path}'" if error.where else ""
        return DataError(f"record {index}: {error.message}{place}", where=f"{self.name}:{lines[index]}" if lines else self.name,
                         hint=error.hint or "netdef data check finds all such records")


def open_folder(spelling: Spelling) -> PictureSource:
    """A folder of class folders. Raises DataError."""
    top = spelling.paths[0]
    if not os.path.isdir(top):
        raise DataError("no such folder", where=top)
    there = sorted(e.name for e in os.scandir(top) if e.is_dir() and not e.name.startswith("."))
    file = spelling.option("classes")
    names = read_labels(file) if file else there
    for name in there:
        if name not in names:
            raise DataError(f"the folder '{name}' is no class of {file}", where=top, hint=did_you_mean(name, names))
    paths: list[str] = []
    labels: list[int] = []
    for number, name in enumerate(names):
        found = sorted(_pictures_below(os.path.join(top, name)))
        paths += [os.path.join(name, path) for path in found]
        labels += [number] * len(found)
    if not paths:
        raise DataError("expected a folder of pictures for each class, there are no pictures in folders of it", where=top,
                        hint=f"{', '.join(SUFFIXES)} are pictures")
    pictures = Pictures(paths, np.array(labels, np.int32), [], names, (os.path.join(top, ""),))
    return PictureSource(spelling.source, "folder", pictures, spelling.gray)


def _pictures_below(folder: str) -> list[str]:
    """The pictures in a folder and the folders in it, relative to it."""
    return [os.path.relpath(os.path.join(at, name), folder)
            for at, _, names in os.walk(folder) for name in names if name.lower().endswith(SUFFIXES)]


def open_list(spelling: Spelling) -> PictureSource:
    """A list of pictures. Raises DataError."""
    path, count = spelling.paths[0], spelling.option("labels", "1")
    if not count.isdecimal() or not 0 < int(count) < 1000:
        raise DataError(f"labels: expected the number of labels on a line, got '{count}'", where=path)
    root = spelling.option("root")
    folders = (os.path.join(root, ""), "") if root else (os.path.join(os.path.dirname(path), ""), "")
    names = read_labels(spelling.option("classes")) if spelling.option("classes") else ()
    return PictureSource(path, "list", read_list(path, int(count), folders, names), spelling.gray)


def read_list(path: str, count: int, folders: tuple[str, ...], class_names: Sequence[str] = ()) -> Pictures:
    """The pictures that a text file names, with ``count`` labels behind the path on each line; empty lines do not count.

    Labels are int32 where all are whole numbers, else float32; with ``class_names`` they may be names. Raises DataError
    with the line that is wrong.
    """
    paths, lines, rows = [], [], []
    numbers = {name: float(k) for k, name in enumerate(class_names)}
    try:
        with open(path, encoding="utf-8-sig") as file:
            for line, text in enumerate(file, 1):
                if not text.strip():
                    continue
                parts = text.rstrip().rsplit(None, count)
                if len(parts) <= count:
                    raise DataError(f"expected a picture's path and {count} label{'s' * (count > 1)}, got '{text.strip()}'",
                                    where=f"{path}:{line}")
                paths.append(parts[0].strip())
                lines.append(line)
                rows.append([_label(part, numbers, f"{path}:{line}") for part in parts[1:]])
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read the list of pictures: {reason}", where=path) from error
    if not paths:
        raise DataError("the list names no picture", where=path)
    labels = np.array(rows, np.float64)
    labels = labels.astype(np.int32 if (labels == np.rint(labels)).all() and abs(labels).max() < 2**31 else np.float32)
    return Pictures(paths, labels[:, 0] if count == 1 else labels, lines, class_names, folders)


def _label(text: str, numbers: dict[str, float], where: str) -> float:
    """A label as a number. Raises DataError."""
    if text in numbers:
        return numbers[text]
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"expected a number as label, got '{text}'", where=where,
                        hint=did_you_mean(text, numbers) or "several labels on a line must be announced") from None
    if numbers and value not in numbers.values():
        raise DataError(f"the label {text} is out of range, there are {len(numbers)} classes", where=where)
    if not np.isfinite(value):
        raise DataError(f"expected a finite number as label, got '{text}'", where=where)
    return value
