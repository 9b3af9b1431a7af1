"""Tables of text: ``csv:train.csv``, ``tsv:train.tsv``; a row is a record, its columns are numbers, some of them labels.

Without ``label=COLUMN`` (a name of the head, or a number from 0) the label is the column called label, class, target or y,
else the last one; ``label=none`` says that there is none. Labels may be text: classes are then numbered in the order of the
alphabet, or of the file that ``classes=`` names.
"""
from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from netdef.data.arrays import columns
from netdef.data.labels import read_labels
from netdef.data.source import ArraySource, Peek, Shape, as_image_shape
from netdef.data.spelling import Spelling
from netdef.errors import DataError, did_you_mean

_LABELS = ("label", "labels", "class", "target", "y")


class Layout(NamedTuple):
    """Which columns of a table are what."""

    head: tuple[str, ...]
    """names of the columns; empty where the file has none"""
    width: int
    features: tuple[int, ...]
    labels: tuple[int, ...]
    shape: Shape
    delimiter: str

    def name(self, column: int) -> str:
        """How messages call a column."""
        return f"column '{self.head[column]}'" if self.head else f"column {column}"


def peek_table(spelling: Spelling) -> Peek:
    """Shape and labels, from the first rows alone. Raises DataError."""
    layout = read_layout(spelling)
    k = len(layout.labels)
    return Peek(layout.shape, None, k > 0, spelling.kind, (k,) if k > 1 else ())


def open_table(spelling: Spelling) -> ArraySource:
    """The whole table in memory: features float32, labels int32 (or float32 where one is no whole number). Raises DataError."""
    path, layout = spelling.paths[0], read_layout(spelling)
    data = _read(path, layout, layout.features, "f4")
    names: list[str] = []
    parts = []
    for column in layout.labels:
        found, classes = _labels(_read(path, layout, (column,), "U")[:, 0], column, layout, spelling)
        parts.append(found)
        names = classes if len(layout.labels) == 1 else []
    return ArraySource(spelling.source, data.reshape(len(data), *layout.shape), columns(parts) if parts else None,
                       spelling.kind, names)


def read_layout(spelling: Spelling) -> Layout:
    """Which columns are features and which labels, from the head and the first row. Raises DataError."""
    path, delimiter = spelling.paths[0], "\t" if spelling.kind == "tsv" else ","
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(itertools.islice((row for row in csv.reader(file, delimiter=delimiter) if row), 2))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read the table: {getattr(error, 'strerror', None) or error}", where=path) from error
    if not rows:
        raise DataError("the table is empty", where=path)
    asked = spelling.choice("header", ("yes", "no", "auto"), "auto")
    headed = asked == "yes" or (asked == "auto" and not any(_is_number(field) for field in rows[0]))
    if headed and len(rows) < 2:
        raise DataError("the table has a head and no rows", where=path)
    head, width = tuple(field.strip() for field in rows[0]) if headed else (), len(rows[0])
    labels = _label_columns(spelling, head, width)
    ignored = {_column(name, head, width, path, "ignore") for name in spelling.every("ignore")}
    features = tuple(c for c in range(width) if c not in labels and c not in ignored)
    if not features:
        raise DataError("the table has no column beside the labels", where=path)
    return Layout(head, width, features, labels, _shape(spelling, len(features)), delimiter)


def _label_columns(spelling: Spelling, head: tuple[str, ...], width: int) -> tuple[int, ...]:
    asked = spelling.every("label")
    if asked == ["none"]:
        return ()
    if asked:
        return tuple(_column(name, head, width, spelling.paths[0], "label") for name in asked)
    folded = [name.lower() for name in head]
    return (next((folded.index(name) for name in _LABELS if name in folded), width - 1),)


def _column(name: str, head: tuple[str, ...], width: int, path: str, option: str) -> int:
    if name in head:
        return head.index(name)
    if name.lstrip("-").isdecimal() and -width <= int(name) < width:
        return int(name) % width
    raise DataError(f"{option}: no column '{name}' in a table of {width}", where=path, hint=did_you_mean(name, head) or (
        f"there are {', '.join(head[:12])}" if head else "without a head, columns are numbers from 0"))


def _shape(spelling: Spelling, count: int) -> Shape:
    text = spelling.option("shape")
    if not text:
        return as_image_shape((count,))
    sizes = text.split("x")
    if len(sizes) > 3 or not all(n.isdecimal() for n in sizes) or np.prod([int(n) for n in sizes]) != count:
        raise DataError(f"shape: expected sizes whose product is the number of columns, {count}, got '{text}'",
                        where=spelling.paths[0], hint="for example shape=1x28x28")
    return as_image_shape([int(n) for n in sizes])


def _read(path: str, layout: Layout, wanted: Sequence[int], kind: str) -> np.ndarray:
    """Some columns of all rows, (N, len(wanted)). Raises DataError with line and column of what is no number."""
    try:
        with open(path, encoding="utf-8-sig", newline=None) as file:
            return np.loadtxt(file, kind if kind != "U" else "U256", delimiter=layout.delimiter, usecols=wanted,
                              skiprows=1 if layout.head else 0, quotechar='"', comments=None, ndmin=2)
    except (ValueError, OSError, IndexError) as error:
        _find_mistake(path, layout)
        raise DataError(f"cannot read the table: {error}", where=path) from error


def _find_mistake(path: str, layout: Layout) -> None:
    """Raise DataError for the first row that is too short or long, or has text where a number is due."""
    with open(path, encoding="utf-8-sig", newline="", errors="replace") as file:
        reader = csv.reader(file, delimiter=layout.delimiter)
        for k, row in enumerate(r for r in reader if r):
            if k == 0 and layout.head:
                continue
            record = f"record {k - bool(layout.head)}"
            where = f"{path}:{reader.line_num}"
            if len(row) != layout.width:
                raise DataError(f"{record}: expected {layout.width} columns, got {len(row)}", where=where)
            for column in layout.features:
                if not _is_number(row[column]):
                    raise DataError(f"{record}: {layout.name(column)}: expected a number, got '{row[column]}'", where=where,
                                    hint=f"ignore={layout.head[column] if layout.head else column} leaves the column out")


def _labels(texts: np.ndarray, column: int, layout: Layout, spelling: Spelling) -> tuple[np.ndarray, list[str]]:
    """The labels as numbers, and the names of the classes where they were text. Raises DataError."""
    if not spelling.option("classes"):
        for kind in (np.int32, np.float32):
            try:
                return texts.astype(kind), []
            except (ValueError, OverflowError):
                pass
    texts = np.char.strip(texts)
    names = read_labels(spelling.option("classes")) if spelling.option("classes") else sorted(set(texts.tolist()))
    numbers = {name: number for number, name in enumerate(names)}
    for index, text in enumerate(texts.tolist()):
        if text not in numbers:
            raise DataError(f"record {index}: {layout.name(column)}: '{text}' is no class of {spelling.option('classes')}",
                            where=spelling.paths[0], hint=did_you_mean(text, names))
    return np.array([numbers[text] for text in texts.tolist()], np.int32), names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
