"""Writing a file so that it is whole or not there: aside, flushed to the disk, then renamed over the old one."""
from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from netdef.errors import WeightsError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "wb") -> Iterator[IO[Any]]:
    """Open a file beside ``path`` for writing; when the block ends well it takes the place of ``path``.

    ``mode`` is "wb", or "w" for UTF-8 text. Whatever ends the block early (an error, Ctrl-C) removes the new file and
    leaves the old one as it was. After a clean end the bytes are on the disk, not only in its cache. A symbolic link
    keeps pointing where it did, an existing file keeps its permissions; a device or a pipe is written directly.
    Raises WeightsError with the path and the system's reason where the disk is full, the folder missing or read-only.
    """
    if mode not in ("wb", "w"):
        raise ValueError(f"expected mode 'wb' or 'w', got '{mode}'")
    target = Path(os.path.realpath(path))
    aside: Path | None = None
    try:
        if _special(target):
            with _opened(target, mode, os.O_WRONLY) as file:
                yield file
            return
        aside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
        with _opened(aside, mode, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _keep_permissions(target, aside)
        os.replace(aside, target)
        aside = None
        _sync_folder(target.parent)
    except OSError as error:
        if error.filename is not None and Path(error.filename) not in (target, aside):
            raise  # something else that the block did
        reason = error.strerror or str(error)
        raise WeightsError(f"cannot write: {reason}", where=str(path)) from error
    finally:
        if aside is not None:
            with contextlib.suppress(OSError):
                os.unlink(aside)


def _special(target: Path) -> bool:
    """Whether ``target`` is there and is neither a file nor a folder; raises OSError for a folder."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, "it is a folder", str(target))
    return not stat.S_ISREG(mode)


def _opened(path: Path, mode: str, flags: int) -> IO[Any]:
    """A new file with the usual permissions (0666 less the umask; ``tempfile`` would make it private)."""
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666)
    if mode == "wb":
        return os.fdopen(descriptor, mode)
    return os.fdopen(descriptor, mode, encoding="utf-8", newline="\n")


def _keep_permissions(old: Path, new: Path) -> None:
    """Give the new file the permissions of the one that it replaces."""
    with contextlib.suppress(OSError):
        os.chmod(new, stat.S_IMODE(os.stat(old).st_mode))


def _sync_folder(folder: Path) -> None:
    """Put the rename itself on the disk; systems that cannot open a folder (Windows) do it on their own."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
