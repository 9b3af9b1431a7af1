"""Inputs that are no pictures: values typed in, CSV, NumPy archives, and lines of CSV or JSON from a pipe."""
from __future__ import annotations

import csv
import json
import math
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from netdef.data.preprocessing import Placed
from netdef.errors import DataError, NetdefError, did_you_mean

Shapes = Mapping[str, tuple[int, ...]]  # input blob -> the shape of one item


@dataclass(frozen=True)
class Item:
    """One item on its way into a net: values (K, ...) by input blob, K > 1 where the mean over several views is wanted.

    ``placed`` says where a picture's crop lies, ``path`` where the picture is.
    """

    source: str
    values: Mapping[str, np.ndarray]
    placed: Placed | None = None
    path: str = ""


def typed(texts: Sequence[str], shapes: Shapes) -> list[Item]:
    """Items of texts like ``x=0.3,0.5`` (or only the values where the net has one input; ``x=@file.npy`` reads a file).

    More values than one item has are several items; every input must have as many, or one for all. Raises NetdefError,
    DataError.
    """
    arrays = read_typed(texts, shapes)
    missing = [name for name in shapes if name not in arrays]
    if missing:
        raise NetdefError(f"no values for the input '{missing[0]}', of shape {shapes[missing[0]]} an item",
                          hint=f"--input {missing[0]}=...")
    count = max(len(a) for a in arrays.values())
    for name, array in arrays.items():
        if len(array) not in (1, count):
            raise NetdefError(f"input '{name}': expected values for {count} items, as for the others, got {len(array)}")
    return [Item("input" if count == 1 else f"input {k + 1}",
                 {n: a[k: k + 1] if len(a) > 1 else a for n, a in arrays.items()}) for k in range(count)]


def read_typed(texts: Sequence[str], shapes: Shapes) -> dict[str, np.ndarray]:
    """The arrays (items, ...) of texts like ``x=0.3,0.5``, by input. Raises NetdefError, DataError."""
    arrays: dict[str, np.ndarray] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals:
            if len(shapes) != 1:
                raise NetdefError(f"input: expected NAME=VALUES, got '{text}'", hint=f"the inputs are {', '.join(shapes)}")
            name, values = next(iter(shapes)), text
        name = _known(name.strip(), shapes)
        if name in arrays:
            raise NetdefError(f"input '{name}' is given twice")
        who = f"input '{name}'"
        flat = _load(values[1:]) if values.startswith("@") else _floats(values.split(","), who)
        arrays[name] = _items(np.asarray(flat), shapes[name], who)
    return arrays


def read_csv(lines: Iterable[str], where: str, shapes: Shapes, columns: Sequence[str] = (),
             first: int = 1) -> Iterator[Item]:
    """An item a row: the values of all inputs one after another. A first row of words is a header.

    ``columns`` picks columns by their header, in the order of the values. ``first`` is the number of the first line.
    Raises DataError with the line.
    """
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    picked: list[int] | None = None
    reader = csv.reader(lines)
    for row in reader:
        place = f"{where}:{first + reader.line_num - 1}"
        if not row or row[0].lstrip().startswith("#"):
            continue
        if picked is None:
            if _is_header(row):
                picked = [_column(row, c, place) for c in columns]
                continue
            if columns:
                raise DataError("expected a first row with the names of the columns", where=place)
            picked = []
        values = _floats([row[i] if i < len(row) else "" for i in picked] if picked else row, "", place)
        if len(values) != sum(sizes.values()):
            each = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            raise DataError(f"expected {sum(sizes.values())} values ({each}), got {len(values)}", where=place,
                            hint="" if picked else "--columns picks some by their names in the first row")
        at, made = 0, {}
        for name, shape in shapes.items():
            made[name] = np.asarray(values[at: at + sizes[name]], np.float32).reshape(1, *shape)
            at += sizes[name]
        yield Item(f"line {first + reader.line_num - 1}", made)


def read_json_lines(lines: Iterable[str], where: str, shapes: Shapes, first: int = 1) -> Iterator[Item]:
    """An item a line: ``{"x": [0.3, 0.5]}``, or ``[0.3, 0.5]`` where the net has one input. Raises DataError."""
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        place = f"{where}:{number}"
        try:
            value = json.loads(line)
        except ValueError as error:
            raise DataError(f"expected JSON, {error}", where=place) from error
        if not isinstance(value, dict):
            if len(shapes) != 1:
                raise DataError(f"expected an object with {', '.join(shapes)}", where=place)
            value = {next(iter(shapes)): value}
        missing = [name for name in shapes if name not in value]
        if missing:
            raise DataError(f"no values for the input '{missing[0]}'", where=place, hint=did_you_mean(missing[0], value))
        yield Item(str(value.get("name", f"line {number}")),
                   {name: _one_item(value[name], shape, name, place) for name, shape in shapes.items()})


def read_lines(lines: Iterable[str], where: str, shapes: Shapes, columns: Sequence[str] = ()) -> Iterator[Item]:
    """CSV, or JSON where the first line that is not empty begins with ``{`` or ``[``. Raises DataError."""
    stream = iter(lines)
    skipped = 1
    for line in stream:
        if line.strip():
            whole = chain([line], stream)
            if line.lstrip()[0] in "{[":
                yield from read_json_lines(whole, where, shapes, skipped)
            else:
                yield from read_csv(whole, where, shapes, columns, skipped)
            return
        skipped += 1
    raise DataError("expected lines of CSV or JSON, got nothing", where=where)


def read_file(path: str | os.PathLike[str], shapes: Shapes, columns: Sequence[str] = ()) -> Iterator[Item]:
    """The items of a .npz or .npy file, else of lines as ``read_lines`` takes. Raises DataError."""
    name = os.fspath(path)
    if name.endswith((".npz", ".npy")):
        yield from _archive(name, shapes)
        return
    try:
        with open(name, encoding="utf-8-sig", newline="") as file:
            yield from read_lines(file, name, shapes, columns)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=name) from error
    except UnicodeDecodeError as error:
        raise DataError("expected text in UTF-8", where=name) from error
    except csv.Error as error:
        raise DataError(f"expected CSV: {error}", where=name) from error


def _archive(name: str, shapes: Shapes) -> Iterator[Item]:
    loaded = _load(name)
    arrays: dict[str, np.ndarray] = loaded if isinstance(loaded, dict) else {"": loaded}
    if len(arrays) == 1 and len(shapes) == 1:
        arrays = {next(iter(shapes)): next(iter(arrays.values()))}
    missing = [n for n in shapes if n not in arrays]
    if missing:
        raise DataError(f"no array '{missing[0]}', the name of an input of the net", where=name,
                        hint=f"there are {', '.join(arrays)}")
    items = {n: _items(arrays[n], shape, f"array '{n}'", name) for n, shape in shapes.items()}
    counts = {len(a) for a in items.values()}
    if len(counts) != 1:
        raise DataError(f"the arrays have different numbers of items: {sorted(counts)}", where=name)
    for k in range(counts.pop()):
        yield Item(f"item {k}", {n: a[k: k + 1] for n, a in items.items()})


def _load(name: str) -> Any:
    """The array of a .npy, or a dict of those of a .npz. Raises DataError."""
    try:
        loaded = np.load(name, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return {n: loaded[n] for n in loaded.files}
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=name) from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError("it is no NumPy file of numbers, or is cut off", where=name) from error


def _items(array: np.ndarray, shape: tuple[int, ...], who: str, where: str | None = None) -> np.ndarray:
    """The array as float32 (items, *shape): such an array, one item without the first axis, or flat values."""
    size = math.prod(shape)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{who}: expected numbers, got {array.dtype}", where=where)
    fits = array.shape[1:] == shape or array.shape == shape or array.ndim <= 1 or math.prod(array.shape[1:]) == size
    if not fits or not array.size or not size or array.size % size:
        raise DataError(f"{who}: expected {size} values an item, got an array of shape {array.shape}", where=where)
    return array.reshape(-1, *shape).astype(np.float32)


def _one_item(value: Any, shape: tuple[int, ...], name: str, place: str) -> np.ndarray:
    try:
        array = np.asarray(value, np.float32)
    except (ValueError, TypeError) as error:
        raise DataError(f"input '{name}': expected numbers", where=place) from error
    if array.size != math.prod(shape):
        raise DataError(f"input '{name}': expected {math.prod(shape)} values, got {array.size}", where=place)
    return array.reshape(1, *shape)


def _floats(texts: Sequence[str], who: str, where: str | None = None) -> list[float]:
    values = []
    for i, text in enumerate(texts):
        try:
            values.append(float(text))
        except ValueError as error:
            raise DataError(f"{who + ': ' if who else ''}expected a number, value {i + 1} is '{text.strip()[:40]}'",
                            where=where) from error
    return values


def _is_header(row: Sequence[str]) -> bool:
    """Whether no cell is a number; a row of which only some are is one with a mistake."""
    for cell in row:
        try:
            float(cell)
        except ValueError:
            continue
        return False
    return True


def _column(header: Sequence[str], name: str, place: str) -> int:
    names = [c.strip() for c in header]
    if name not in names:
        raise DataError(f"no column '{name}'", where=place, hint=did_you_mean(name, names) or f"there are {', '.join(names)}")
    return names.index(name)


def _known(name: str, shapes: Shapes) -> str:
    if name not in shapes:
        raise NetdefError(f"the net has no input '{name}'", hint=did_you_mean(name, shapes)
                          or f"its inputs are {', '.join(shapes)}")
    return name
