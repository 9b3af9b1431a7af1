"""LevelDB databases of Datum records, read through the optional package plyvel.

LevelDB writes into its folder even when it is only read (its log, its lock, a compaction), and lets one process in at a
time; a database on a read-only disk has to be copied first. It does not know how many records it has.
"""
from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from netdef.data.datum import Decoding
from netdef.data.keyed import DatumSource
from netdef.errors import DataError


class _Shared(NamedTuple):
    """An open database and how many sources use it (LevelDB can be opened once in a process)."""

    db: Any
    users: int


_shared: dict[str, _Shared] = {}
_lock = threading.Lock()


def open_leveldb(source: str, decoding: Decoding) -> DatumSource:
    """The LevelDB in folder ``source``; raises DataError where it cannot be opened."""
    return DatumSource(source, "leveldb", LevelCursor(source), decoding)


class LevelCursor:
    """A raw iterator over a LevelDB; see netdef.data.keyed.Cursor."""

    _closed = True

    def __init__(self, source: str) -> None:
        try:
            import plyvel
        except ImportError as error:
            message = "reading a LevelDB needs the package plyvel, which is not installed"
            hint = "pip install netdef[leveldb], or convert the database to LMDB"
            raise DataError(message, where=source, hint=hint) from error
        self._source = source
        self._path = os.path.realpath(source)
        self._error: type[Exception] = plyvel.Error
        with _lock:
            shared = _shared.get(self._path)
            db = shared.db if shared else self._call(lambda: plyvel.DB(source, create_if_missing=False))
            _shared[self._path] = _Shared(db, shared.users + 1 if shared else 1)
        self._db: Any = db
        self._iterator: Any = self._db.raw_iterator()
        self._closed = False

    def first(self) -> bool:
        """See Cursor."""
        self._call(self._iterator.seek_to_first)
        return self._valid()

    def next(self) -> bool:
        """See Cursor."""
        self._call(self._iterator.next)
        return self._valid()

    def item(self) -> tuple[bytes, bytes]:
        """See Cursor."""
        return self._call(self._iterator.item)

    def keys(self) -> list[bytes]:
        """See Cursor."""
        return self._call(lambda: list(self._db.iterator(include_value=False)))

    def value(self, key: bytes) -> bytes:
        """See Cursor."""
        found: bytes | None = self._call(lambda: self._db.get(key))
        if found is None:
            raise DataError(f"key {key!r} was listed, but is not there", where=self._source, hint="the database is damaged")
        return found

    def count(self) -> int | None:
        """See Cursor."""
        return None

    def close(self) -> None:
        """See Cursor."""
        if self._closed:
            return
        self._closed = True
        self._iterator.close()
        with _lock:
            db, users = _shared[self._path]
            if users > 1:
                _shared[self._path] = _Shared(db, users - 1)
            else:
                del _shared[self._path]
                db.close()

    def __del__(self) -> None:
        """A cursor that nobody closed lets go of its files when nobody holds it any more."""
        self.close()

    def _valid(self) -> bool:
        return bool(self._call(self._iterator.valid))

    def _call(self, function: Callable[[], Any]) -> Any:
        """Call into LevelDB; its errors become DataErrors."""
        try:
            return function()
        except (self._error, OSError) as error:
            reason = error.args[0] if error.args else error
            text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(error)
            raise DataError(f"the LevelDB cannot be read: {text}", where=self._source) from error
