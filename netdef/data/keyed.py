"""A source over a database of Datum records under sorted keys; LMDB and LevelDB give it a cursor."""
from __future__ import annotations

from typing import Protocol

import numpy as np

from netdef.data.datum import Decoding, parse
from netdef.data.source import Peek
from netdef.errors import DataError


class Cursor(Protocol):
    """A place in a sorted database. Methods raise DataError where the database is damaged."""

    def first(self) -> bool:
        """Go to the first key; False where there is none."""

    def next(self) -> bool:
        """Go to the next key; False behind the last one."""

    def item(self) -> tuple[bytes, bytes]:
        """Key and value at the place."""

    def count(self) -> int | None:
        """Records in the database, or None where the database does not know."""

    def close(self) -> None:
        """Let go of the database."""


class DatumSource:
    """Datum records in the order of their keys, read one after another as Caffe's Data layer does."""

    label_shape: tuple[int, ...] = ()

    def __init__(self, name: str, kind: str, cursor: Cursor, decoding: Decoding) -> None:
        self.name, self.kind = name, kind
        self._cursor: Cursor | None = cursor
        self._decoding = decoding
        self._index = 0  # number of the record under the cursor
        try:
            self._count = cursor.count()
            if not cursor.first():
                raise DataError("the database has no records", where=name)
            array, _ = self._read()
        except BaseException:
            self.close()
            raise
        self.shape: tuple[int, int, int] = (array.shape[0], array.shape[1], array.shape[2])

    def __len__(self) -> int:
        while self._count is None:
            self._advance()
        return self._count

    def record(self, index: int) -> tuple[np.ndarray, int | np.ndarray]:
        """Record ``index`` (from 0); raises IndexError, and DataError for a record that cannot be read."""
        if index >= 0:
            self._go_to(index)
        if index < 0 or (self._count is not None and index >= self._count):
            raise IndexError(f"{self.name}: no record {index}, there are {self._count}")
        return self._read()

    def batch(
        self, start: int, count: int, ragged: bool = False
    ) -> tuple[np.ndarray | list[np.ndarray], np.ndarray]:
        """See Source."""
        self._go_to(start)
        arrays: list[np.ndarray] = []
        labels = np.empty(count, np.int32)
        for i in range(count):
            array, labels[i] = self._read()
            if not ragged and arrays and array.shape != arrays[0].shape:
                raise self._bad(f"expected the size of the batch's first record, {_x(arrays[0])}, got {_x(array)}")
            arrays.append(array)
            self._advance()
        alike = arrays and all(a.shape == arrays[0].shape and a.dtype == arrays[0].dtype for a in arrays)
        if ragged and not alike:
            return arrays, labels
        return (np.stack(arrays) if arrays else np.empty((0, *self.shape), np.uint8)), labels

    def close(self) -> None:
        """Let go of the database."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None

    def peek(self) -> Peek:
        """Shape of the first record, and the count where the database knows it."""
        return Peek(self.shape, self._count, True, self.kind)

    def _open_cursor(self) -> Cursor:
        if self._cursor is None:
            raise DataError("the source is closed", where=self.name)
        return self._cursor

    def _go_to(self, start: int) -> None:
        """Put the cursor on record ``start`` (which counts on beyond the end), stepping as little as possible."""
        place = start % self._count if self._count else start
        if place < self._index:
            self._open_cursor().first()
            self._index = 0
        while self._index != place:
            self._advance()
            if self._index == 0 and self._count:  # went round: now the count is known
                place %= self._count

    def _advance(self) -> None:
        """On to the next record, or round to the first (which also tells how many there are)."""
        cursor = self._open_cursor()
        if cursor.next():
            self._index += 1
            return
        if self._count not in (None, self._index + 1):
            message = f"the database says that it has {self._count} records, but {self._index + 1} can be read"
            raise DataError(message, where=self.name, hint="the file is damaged")
        self._count = self._index + 1
        self._index = 0
        cursor.first()

    def _read(self) -> tuple[np.ndarray, int]:
        """The record under the cursor."""
        try:
            return parse(self._open_cursor().item()[1], self._decoding)
        except ValueError as error:
            raise self._bad(str(error)) from error

    def _bad(self, message: str) -> DataError:
        key = self._open_cursor().item()[0]
        return DataError(f"record {self._index} (key {key!r}): {message}", where=self.name)


def _x(array: np.ndarray) -> str:
    return "x".join(map(str, array.shape))
