"""A source over a database of Datum records under sorted keys; LMDB and LevelDB give it a cursor."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from netdef.data.datum import Decoding, is_encoded, label_of, parse, parse_later
from netdef.data.later import Later
from netdef.data.source import Images, Peek, Records, Shape, check_channels, stacked
from netdef.errors import DataError


class Cursor(Protocol):
    """A place in a sorted database. Methods raise DataError where the database is damaged."""

    def first(self) -> bool:
        """Go to the first key; False where there is none."""

    def next(self) -> bool:
        """Go to the next key; False behind the last one."""

    def item(self) -> tuple[bytes, bytes]:
        """Key and value at the place."""

    def keys(self) -> list[bytes]:
        """All keys in their order; leaves the place as it is."""

    def value(self, key: bytes) -> bytes:
        """The value under a key; leaves the place as it is."""

    def count(self) -> int | None:
        """Records in the database, or None where the database does not know."""

    def close(self) -> None:
        """Let go of the database."""


class Raw(NamedTuple):
    """A record before it is parsed."""

    number: int
    key: bytes
    value: bytes


class DatumSource(Records):
    """Datum records in the order of their keys, read one after another as Caffe's Data layer does.

    Positions in any other order are looked up by key; the keys are listed once, when that is first asked for.
    """

    def __init__(self, name: str, kind: str, cursor: Cursor, decoding: Decoding) -> None:
        self.name, self.kind = name, kind
        self._cursor: Cursor | None = cursor
        self._decoding = decoding
        self._index = 0  # number of the record under the cursor
        self._keys: list[bytes] | None = None
        try:
            self._count = cursor.count()
            if not cursor.first():
                raise DataError("the database has no records", where=name)
            first = Raw(0, *cursor.item())
            array, _ = self._parse(first)
            self._encoded = self._is_encoded(first)
        except BaseException:
            self.close()
            raise
        self.shape: Shape = (array.shape[0], array.shape[1], array.shape[2])

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
        return self._parse(self._here())

    def fetch(self, positions: Sequence[int] | np.ndarray) -> list[Raw]:
        """See Source."""
        found = []
        if isinstance(positions, range):
            for k, position in enumerate(positions):
                if k == 0:
                    self._go_to(position)
                found.append(self._here())
                self._advance()
            return found
        keys, cursor = self._all_keys(), self._open_cursor()
        for position in positions:
            index = int(position) % len(keys)
            found.append(Raw(index, keys[index], cursor.value(keys[index])))
        return found

    def assemble(self, fetched: list[Raw], ragged: bool = False) -> tuple[Images, np.ndarray]:
        """See Source."""
        arrays: list[np.ndarray] = []
        labels = np.empty(len(fetched), np.int32)
        for i, raw in enumerate(fetched):
            array, labels[i] = self._parse(raw)
            arrays.append(array)
        return stacked(arrays, self.shape, ragged, lambda i: _who(fetched[i]), self.name), labels

    def later(self, fetched: list[Raw]) -> tuple[Images | list[np.ndarray | Later], np.ndarray]:
        """See Source."""
        if not (fetched and self._encoded):
            return self.assemble(fetched, ragged=True)
        made: list[np.ndarray | Later] = []
        labels = np.empty(len(fetched), np.int32)
        for i, raw in enumerate(fetched):
            array, labels[i] = self._parse_later(raw)
            made.append(array)
        check_channels(made, self.shape, lambda i: _who(fetched[i]), self.name)
        return made, labels

    def labels(self) -> np.ndarray:
        """See Source; reads every record once, without decoding pictures."""
        cursor = self._open_cursor()
        keys = self._all_keys()
        found = np.empty(len(keys), np.int32)
        for index, key in enumerate(keys):
            raw = Raw(index, key, cursor.value(key))
            try:
                found[index] = self._label(raw)
            except ValueError as error:
                raise self._bad(raw, error) from error
        return found

    def where(self, index: int) -> str:
        """See Source."""
        return f"record {index}" if self._keys is None else f"record {index} (key {self._keys[index]!r})"

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

    def _all_keys(self) -> list[bytes]:
        cursor = self._open_cursor()
        if self._keys is None:
            self._keys = cursor.keys()
            self._check_count(len(self._keys))
        return self._keys

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
        self._check_count(self._index + 1)
        self._index = 0
        cursor.first()

    def _check_count(self, found: int) -> None:
        """Note how many records can be read; raise DataError where the database says otherwise."""
        if self._count not in (None, found):
            message = f"the database says that it has {self._count} records, but {found} can be read"
            raise DataError(message, where=self.name, hint="the file is damaged")
        self._count = found

    def _here(self) -> Raw:
        """The record under the cursor."""
        return Raw(self._index, *self._open_cursor().item())

    def _parse(self, raw: Raw) -> tuple[np.ndarray, int]:
        try:
            return parse(raw.value, self._decoding)
        except ValueError as error:
            raise self._bad(raw, error) from error

    def _parse_later(self, raw: Raw) -> tuple[np.ndarray | Later, int]:
        """As ``_parse``, pictures decoded when they are asked for."""
        try:
            return parse_later(raw.value, self._decoding, lambda error: self._bad(raw, error))
        except ValueError as error:
            raise self._bad(raw, error) from error

    def _label(self, raw: Raw) -> int:
        """The label of a record, whose picture is not decoded. Raises ValueError."""
        return label_of(raw.value)

    def _is_encoded(self, raw: Raw) -> bool:
        """Whether the record holds a picture file."""
        return is_encoded(raw.value)

    def _bad(self, raw: Raw, error: ValueError) -> DataError:
        return DataError(f"{_who(raw)}: {error}", where=self.name, hint="netdef data check finds all such records")


def _who(raw: Raw) -> str:
    return f"record {raw.number} (key {raw.key!r})"
