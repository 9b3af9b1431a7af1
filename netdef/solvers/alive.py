"""Whether a file is still being written: its writer holds a lock on it, which ends with the process, however it ends."""
from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
    LOCKS = True
except ImportError:  # Windows
    LOCKS = False

QUIET = 120.0  # seconds without a change after which a file counts as left, where there are no locks


def hold(file: IO[Any]) -> None:
    """Lock an open file until it is closed, so that ``alive`` says so. Where that cannot be done, nothing happens."""
    if LOCKS:
        with contextlib.suppress(OSError):
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def alive(path: Path) -> bool:
    """Whether some process, this one or another, holds a file by ``hold``; without locks, whether it changed lately."""
    if not LOCKS:
        with contextlib.suppress(OSError):
            return time.time() - path.stat().st_mtime < QUIET
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:  # this file system knows no locks
        return False
    finally:
        os.close(descriptor)
