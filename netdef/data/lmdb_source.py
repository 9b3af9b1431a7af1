"""LMDB databases of Datum records, opened read-only.

LMDB maps its file into memory, and touching a page that a truncated copy lacks kills the process (SIGBUS). So the size
is compared with what the file's own head claims before LMDB sees it. Layout of the two meta pages: lmdb's mdb.c.
"""
from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from netdef.data.datum import Decoding
from netdef.data.keyed import DatumSource
from netdef.errors import DataError

if TYPE_CHECKING:
    import lmdb

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_PAGE_HEAD = 16  # bytes before the meta record in a page
_META = struct.Struct("=IIQQ I44x 48x QQ")  # magic, version, address, map size, page size, -, last page, transaction
_HEAD_BYTES = _PAGE_HEAD + _META.size


class _Shared(NamedTuple):
    """An open environment and how many sources use it (LMDB allows one for each path in a process)."""

    env: lmdb.Environment
    users: int


_shared: dict[str, _Shared] = {}
_lock = threading.Lock()  # sources are opened and closed on prefetch threads too


def open_lmdb(source: str, decoding: Decoding) -> DatumSource:
    """The LMDB in folder (or file) ``source``; raises DataError where it is missing, none, or damaged."""
    return DatumSource(source, "lmdb", LmdbCursor(source), decoding)


def data_file(source: str) -> str:
    """The file that holds the pages."""
    return os.path.join(source, "data.mdb") if os.path.isdir(source) else source


def check_size(source: str) -> None:
    """Raise DataError unless ``source`` begins like an LMDB and is as long as it says."""
    path = data_file(source)
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            first = _meta(file.read(_HEAD_BYTES))
            if first is None:
                raise DataError("expected an LMDB, the file does not begin like one", where=source)
            page = first[4]
            file.seek(page)
            second = _meta(file.read(_HEAD_BYTES))
    except OSError as error:
        raise DataError(f"cannot read {os.path.basename(path)}: {error.strerror or error}", where=source) from error
    newest = second if second is not None and second[6] > first[6] else first
    needed = (newest[5] + 1) * page
    if second is None or size < needed:
        message = f"the LMDB is cut off: expected {max(needed, 2 * page)} bytes, got {size}"
        raise DataError(message, where=source, hint="copy the file again")


def _meta(raw: bytes) -> tuple[int, ...] | None:
    """The fields of a meta page, or None where it is none."""
    if len(raw) < _HEAD_BYTES:
        return None
    found = _META.unpack_from(raw, _PAGE_HEAD)
    sound = found[0] == _MAGIC and found[1] & 0xFFFF == _VERSION and 512 <= found[4] <= 65536
    return found if sound and found[4] & (found[4] - 1) == 0 else None


class LmdbCursor:
    """A cursor in a read transaction of its own; see netdef.data.keyed.Cursor."""

    _closed = True

    def __init__(self, source: str) -> None:
        self._source = source
        self._path = os.path.realpath(data_file(source))
        self._env = _acquire(source, self._path)
        try:
            self._transaction = self._call(self._env.begin)
            self._cursor = self._call(self._transaction.cursor)
        except BaseException:
            _release(self._path)
            raise
        self._closed = False

    def first(self) -> bool:
        """See Cursor."""
        return self._call(self._cursor.first)

    def next(self) -> bool:
        """See Cursor."""
        return self._call(self._cursor.next)

    def item(self) -> tuple[bytes, bytes]:
        """See Cursor."""
        return self._call(self._cursor.item)

    def keys(self) -> list[bytes]:
        """See Cursor."""
        def read() -> list[bytes]:
            with self._transaction.cursor() as cursor:
                return list(cursor.iternext(keys=True, values=False))
        return self._call(read)

    def value(self, key: bytes) -> bytes:
        """See Cursor."""
        found: bytes | None = self._call(lambda: self._transaction.get(key))
        if found is None:
            raise DataError(f"key {key!r} was listed, but is not there", where=self._source, hint="the file is damaged")
        return found

    def count(self) -> int | None:
        """See Cursor."""
        return int(self._call(self._env.stat)["entries"])

    def close(self) -> None:
        """See Cursor."""
        if not self._closed:
            self._closed = True
            self._cursor.close()
            self._transaction.abort()
            _release(self._path)

    def __del__(self) -> None:
        """A cursor that nobody closed lets go of its file when nobody holds it any more."""
        self.close()

    def _call(self, function: Callable[[], Any]) -> Any:
        """Call into LMDB; its errors become DataErrors."""
        try:
            return function()
        except _package(self._source).Error as error:
            raise DataError(f"the LMDB cannot be read: {error}", where=self._source) from error


def _package(source: str) -> ModuleType:
    """The package lmdb; raises DataError where it is not installed."""
    try:
        import lmdb
    except ImportError as error:
        message = "reading an LMDB needs the package lmdb, which is not installed"
        raise DataError(message, where=source, hint="pip install netdef[data]") from error
    return lmdb


def _acquire(source: str, path: str) -> lmdb.Environment:
    """The environment of the file ``path``, opened where nobody in this process has it open already."""
    package = _package(source)
    with _lock:
        shared = _shared.get(path)
        if shared is None:
            check_size(source)
            try:
                env = package.open(path, subdir=False, readonly=True, lock=False, readahead=False, create=False)
            except package.Error as error:
                raise DataError(f"cannot open the LMDB: {error}", where=source) from error
            shared = _Shared(env, 0)
        _shared[path] = _Shared(shared.env, shared.users + 1)
        return shared.env


def _release(path: str) -> None:
    """One user fewer; the last one closes the environment."""
    with _lock:
        env, users = _shared[path]
        if users > 1:
            _shared[path] = _Shared(env, users - 1)
        else:
            del _shared[path]
            env.close()
