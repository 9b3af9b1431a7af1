"""Writing a file so that it is whole or not there: aside, flushed to the disk, then renamed over the old one.

The file aside, ``.<name>.<12 hex digits>.tmp``, is locked while it is written. A killed process leaves it behind without
the lock, so ``stale.py`` can tell it from one that is still being written.
"""
from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from netdef.errors import WeightsError

try:
    import fcntl
    LOCKS = True
except ImportError:  # Windows: no locks, hence no sweeping either
    LOCKS = False

_BINARY = getattr(os, "O_BINARY", 0)
UNFINISHED = r"\.(?P<target>.+)\.[0-9a-f]{12}\.tmp"
"""The names that ``atomic_write`` gives to files aside; ``target`` are the first 100 characters of the final name."""


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
            with _filed(os.open(target, os.O_WRONLY | _BINARY), mode) as file:
                yield file
            return
        aside, descriptor = _begin(target)
        with _still_locked(descriptor):
            with _filed(descriptor, mode) as file:
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


def _begin(target: Path) -> tuple[Path, int]:
    """A new locked file beside ``target`` with the usual permissions (0666 less the umask; ``tempfile`` would make it
    private): its path and descriptor."""
    while True:
        aside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(target)) from error  # the name that the user knows
        _lock(descriptor, wait=True)
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), os.stat(aside)):
                return aside, descriptor
        os.close(descriptor)  # a sweep took it before the lock was there


def _filed(descriptor: int, mode: str) -> IO[Any]:
    if mode == "wb":
        return os.fdopen(descriptor, mode)
    return os.fdopen(descriptor, mode, encoding="utf-8", newline="\n")


@contextlib.contextmanager
def _still_locked(descriptor: int) -> Iterator[None]:
    """Keep a file's lock during the block, though the file is closed in it: a second descriptor holds it too."""
    if not LOCKS:  # Windows renames no open file
        yield
        return
    second = os.dup(descriptor)
    try:
        yield
    finally:
        os.close(second)


@contextlib.contextmanager
def unfinished(target: str | os.PathLike[str]) -> Iterator[Path]:
    """An empty locked file beside ``target``, named as those of ``atomic_write``, and removed at the end. What is written
    under its path with something appended counts as its own. Raises OSError where no file can be made there."""
    aside, descriptor = _begin(Path(target))
    try:
        yield aside
    finally:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[bool]:
    """Hold the lock of an existing file during the block; False where another process has it, or where there are no
    locks to ask."""
    try:
        descriptor = os.open(path, os.O_RDWR | _BINARY)
    except OSError:
        yield False
        return
    try:
        yield _lock(descriptor, wait=False)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> bool:
    """Lock an open file until it is closed; whether that worked."""
    if not LOCKS:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # someone else has it, or this file system knows no locks
        return False
    return True


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
