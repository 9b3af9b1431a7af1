"""From a source's name to a Source: "builtin:...", the path of a database, or a kind and paths (see ``spelling.py``)."""
from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

from netdef.data.builtin import PREFIX, open_builtin
from netdef.data.datum import Decoding
from netdef.data.keyed import Cursor
from netdef.data.source import Peek, Source
from netdef.data.spelling import KINDS, Spelling, parse
from netdef.errors import DataError, did_you_mean

BACKENDS = ("LMDB", "LEVELDB")


def open(
    source: str | os.PathLike[str],
    backend: str | None = None,
    *,
    force_color: bool = False,
    force_gray: bool = False,
) -> Source:
    """Open a source of records.

    ``source`` is "builtin:<set>", a path (absolute, or relative to the working directory: ``resolved`` puts other paths
    in), or "<kind>:<path>,..." with a kind of ``KINDS``. ``backend`` is "LMDB", "LEVELDB" or None, which looks at what is
    there. ``force_color`` and ``force_gray`` turn encoded pictures into three or one channels. Raises DataError.
    """
    found = _parsed(source, backend, force_color, force_gray)
    if isinstance(found, str):
        return open_builtin(found)
    opened: Source = _function(KINDS[found.kind].opener)(found)
    return opened


def peek(
    source: str | os.PathLike[str],
    backend: str | None = None,
    *,
    force_color: bool = False,
    force_gray: bool = False,
) -> Peek:
    """The shape of the first record and the number of records, without keeping the source open. Raises DataError."""
    found = _parsed(source, backend, force_color, force_gray)
    if isinstance(found, Spelling) and KINDS[found.kind].peek:
        known: Peek = _function(KINDS[found.kind].peek)(found)
        return known
    opened = open(source, backend, force_color=force_color, force_gray=force_gray)
    try:
        return opened.peek()
    finally:
        opened.close()


def _parsed(source: str | os.PathLike[str], backend: str | None, force_color: bool, force_gray: bool) -> Spelling | str:
    """The source taken apart, or the name of a built-in one. Raises DataError."""
    name = os.fspath(source)
    if force_color and force_gray:
        raise DataError("force_color and force_gray exclude each other", where=name)
    if name.startswith(PREFIX):
        return name
    spelling = parse(name)
    if spelling is None or spelling.kind in ("lmdb", "leveldb"):
        path = name if spelling is None else spelling.paths[0]
        kind = kind_of_database(path, backend if spelling is None else spelling.kind.upper()).lower()
        return Spelling(path, kind, (path,), (), force_gray, force_color)
    if backend is not None:
        raise DataError(f"backend {backend} is for databases, and the source is of kind '{spelling.kind}'", where=name,
                        hint="leave backend out")
    if force_gray and not KINDS[spelling.kind].pictures:
        raise DataError(f"force_gray is for encoded pictures, and the source is of kind '{spelling.kind}'", where=name)
    return spelling._replace(gray=force_gray, color=force_color)


def open_database(spelling: Spelling) -> Source:
    """An LMDB or a LevelDB of Datum records. Raises DataError."""
    decoding = Decoding(spelling.color, spelling.gray)
    module = import_module(f"netdef.data.{spelling.kind}_source")
    opened: Source = getattr(module, f"open_{spelling.kind}")(spelling.paths[0], decoding)
    return opened


def open_cursor(path: str, kind: str) -> Cursor:
    """A cursor over the raw records of a database of this kind ("lmdb", "leveldb"). Raises DataError."""
    if kind == "lmdb":
        from netdef.data.lmdb_source import LmdbCursor

        return LmdbCursor(path)
    from netdef.data.leveldb_source import LevelCursor

    return LevelCursor(path)


def _function(name: str) -> Callable[[Spelling], Any]:
    """``idx.open_idx`` of this package, imported when it is needed."""
    module, _, function = name.partition(".")
    found: Callable[[Spelling], Any] = getattr(import_module(f"netdef.data.{module}"), function)
    return found


def kind_of_database(path: str, backend: str | None) -> str:
    """"LMDB" or "LEVELDB": what lies at ``path``; raises DataError where nothing does or ``backend`` says otherwise."""
    if backend is not None and backend not in BACKENDS:
        raise DataError(f"unknown backend '{backend}'", where=path, hint=did_you_mean(backend, BACKENDS))
    if not os.path.exists(path):
        raise DataError("the data source is missing: no such file or folder", where=path)
    found = None
    if os.path.isfile(path) or os.path.exists(os.path.join(path, "data.mdb")):
        found = "LMDB"
    elif os.path.exists(os.path.join(path, "CURRENT")):
        found = "LEVELDB"
    if found is None:
        message = "expected a database, the folder has neither data.mdb (LMDB) nor CURRENT (LevelDB)"
        folders = any(entry.is_dir() for entry in os.scandir(path))
        raise DataError(message, where=path, hint=f"write folder:{path} if it has a folder of pictures for each class"
                        if folders else "")
    if backend is not None and backend != found:
        message = f"expected {backend}, the source is {found}"
        raise DataError(message, where=path, hint=f"write backend: {found}")
    return found
