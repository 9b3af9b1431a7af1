"""Sweeping up what killed processes left behind: files aside of ``atomic_write`` that nobody is writing any more."""
from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from netdef.weights.atomic import UNFINISHED, locked

_NAME = re.compile(UNFINISHED + r"(?P<more>\.h5)?")  # HDF5 files are made under a name of their own, see hdf5.py


def sweep(folder: str | os.PathLike[str], owns: Callable[[str], bool]) -> list[Path]:
    """Delete unfinished files in ``folder`` whose final name ``owns`` accepts (its first 100 characters); what is gone.

    A file that a living process writes is locked and stays, on whichever machine the process runs, as long as the file
    system has locks; where it has none nothing is deleted. What cannot be read or deleted is left without a word.
    """
    gone = []
    for path, target, main in _found(Path(folder)):
        if not owns(target):
            continue
        with locked(main) as free, contextlib.suppress(OSError):
            if free or not main.exists():
                path.unlink()
                gone.append(path)
    return gone


def _found(folder: Path) -> list[tuple[Path, str, Path]]:
    """Files with names of ours: path, final name, and the file that bears the lock; those with something appended first."""
    with contextlib.suppress(OSError):
        matches = [(name, match) for name in sorted(os.listdir(folder), reverse=True)
                   if (match := _NAME.fullmatch(name))]
        return [(folder / name, m["target"], folder / name.removesuffix(m["more"] or "")) for name, m in matches]
    return []
