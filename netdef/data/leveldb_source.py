"""LevelDB databases of Datum records, read through the optional package plyvel.

LevelDB writes into its folder even when it is only read (its log, its lock, a compaction), and lets one process in at a
time; a database on a read-only disk has to be copied first. It does not know how many records it has.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netdef.data.datum import Decoding
from netdef.data.keyed import DatumSource
from netdef.errors import DataError


def open_leveldb(source: str, decoding: Decoding) -> DatumSource:
    """The LevelDB in folder ``source``; raises DataError where it cannot be opened."""
    return DatumSource(source, "leveldb", _LevelCursor(source), decoding)


class _LevelCursor:
    """A raw iterator over a LevelDB; see netdef.data.keyed.Cursor."""

    def __init__(self, source: str) -> None:
        try:
            import plyvel
        except ImportError as error:
            message = "reading a LevelDB needs the package plyvel, which is not installed"
            hint = "pip install netdef[leveldb], or convert the database to LMDB"
            raise DataError(message, where=source, hint=hint) from error
        self._source = source
        self._error: type[Exception] = plyvel.Error
        self._db: Any = self._call(lambda: plyvel.DB(source, create_if_missing=False))
        self._iterator: Any = self._db.raw_iterator()

    def first(self) -> bool:
        self._call(self._iterator.seek_to_first)
        return self._valid()

    def next(self) -> bool:
        self._call(self._iterator.next)
        return self._valid()

    def item(self) -> tuple[bytes, bytes]:
        return self._call(self._iterator.item)

    def count(self) -> int | None:
        return None

    def close(self) -> None:
        self._iterator.close()
        self._db.close()

    def _valid(self) -> bool:
        return bool(self._call(self._iterator.valid))

    def _call(self, function: Callable[[], Any]) -> Any:
        """Call into LevelDB; its errors become DataErrors."""
        try:
            return function()
        except (self._error, OSError) as error:
            raise DataError(f"the LevelDB cannot be read: {error}", where=self._source) from error
