"""From a source's name to a Source: "builtin:..." or the path of a database."""
from __future__ import annotations

import os

from netdef.data.builtin import PREFIX, open_builtin
from netdef.data.datum import Decoding
from netdef.data.source import Peek, Source
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

    ``source`` is "builtin:<set>" or a path (absolute, or relative to the working directory: resolve it before against
    the config file). ``backend`` is "LMDB", "LEVELDB" or None, which looks at what is there. ``force_color`` and
    ``force_gray`` turn encoded pictures into three or one channels. Raises DataError.
    """
    name = os.fspath(source)
    if force_color and force_gray:
        raise DataError("force_color and force_gray exclude each other", where=name)
    if name.startswith(PREFIX):
        return open_builtin(name)
    kind = _kind(name, backend)
    decoding = Decoding(force_color, force_gray)
    if kind == "LMDB":
        from netdef.data.lmdb_source import open_lmdb

        return open_lmdb(name, decoding)
    from netdef.data.leveldb_source import open_leveldb

    return open_leveldb(name, decoding)


def peek(
    source: str | os.PathLike[str],
    backend: str | None = None,
    *,
    force_color: bool = False,
    force_gray: bool = False,
) -> Peek:
    """The shape of the first record and the number of records, without keeping the source open. Raises DataError."""
    opened = open(source, backend, force_color=force_color, force_gray=force_gray)
    try:
        return opened.peek()
    finally:
        opened.close()


def _kind(path: str, backend: str | None) -> str:
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
        raise DataError(message, where=path)
    if backend is not None and backend != found:
        message = f"expected {backend}, the source is {found}"
        raise DataError(message, where=path, hint=f"write backend: {found}")
    return found
