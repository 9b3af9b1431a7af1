"""Where a data set is written: aside, in ``.NAME.partial`` beside its final place, and moved there when it is whole.

The folder aside holds the data so far and ``progress.json``: what the job is, and how far it has come. A killed job leaves it
behind; the same job goes on from there with ``resume``. What stood at the final place before is whole until the last moment.
"""
from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from netdef.datasets.records import Record
from netdef.errors import DataError, WeightsError, did_you_mean
from netdef.weights.atomic import atomic_write, locked

VERSION = 1
MADE = "made"
"""What a writer makes within the folder aside: a folder."""
_STATE, _LOCK, _OLD = "progress.json", "lock", "replaced"
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of Linux


class Writer(Protocol):
    """Writes records of one kind of file into the folder aside."""

    def add(self, number: int, record: Record) -> None:
        """Take a record; ``number`` goes up. Raises ValueError for a record that this kind cannot hold."""

    def commit(self) -> dict[str, Any]:
        """Bring what was added to the disk; what a resumed job needs to know."""

    def finish(self, out: Path, classes: Sequence[str] | None) -> list[Path]:
        """Put everything to its final place; what was written."""

    def close(self) -> None:
        """Let go of files; what was committed stays."""


class Progress(NamedTuple):
    """How far a job has come: source records handled, of these here, and left out."""

    next: int = 0
    taken: int = 0
    skipped: int = 0


class Target:
    """The place of one data set in the making; a context manager that holds its lock."""

    def __init__(self, out: str | os.PathLike[str], kind: str, job: dict[str, Any], *, resume: bool = False,
                 force: bool = False) -> None:
        """``job`` says what is made, of what and how: a resumed job must say the same. Raises DataError."""
        from netdef.datasets.kinds import KINDS

        self.out = Path(out)
        self.kind = kind
        self.folder = self.out.with_name(f".{self.out.name}.partial")
        self.job = json.loads(json.dumps({"version": VERSION, "kind": kind, **job}))
        self.progress = Progress()
        self._locks = contextlib.ExitStack()
        self.saved = 0  # source records handled, as far as a resumed run will know
        self._fresh = False
        if not self.out.absolute().parent.is_dir():
            raise DataError("the folder that it is to stand in is missing", where=str(self.out),
                            hint=f"mkdir -p {self.out.absolute().parent}")
        if not (self.folder / _OLD).exists():
            check_free(self.out, kind, force)  # before anything is made
        try:
            with full_disk(self):
                self._lock()
                self._restore()
                check_free(self.out, kind, force)
                self.writer: Writer = KINDS[kind].writer(self.folder, self._begin(resume))
        except BaseException:
            self.close()
            raise

    def add(self, record: Record) -> None:
        """Take the next record of the source. Raises ValueError."""
        with full_disk(self):
            self.writer.add(self.progress.taken, record)
        self.progress = Progress(self.progress.next + 1, self.progress.taken + 1, self.progress.skipped)

    def skip(self, bad: bool = True) -> None:
        """Leave out the next record of the source: a ``bad`` one keeps its number, as in Caffe's tools."""
        done = self.progress
        self.progress = Progress(done.next + 1, done.taken + bad, done.skipped + bad)

    def commit(self) -> None:
        """What was taken so far survives whatever comes."""
        with full_disk(self):
            state = self.writer.commit()
            with atomic_write(self.folder / _STATE, "w") as file:
                json.dump({"job": self.job, "progress": self.progress._asdict(), "state": state}, file)
        self.saved = self.progress.next

    def finish(self, classes: Sequence[str] | None) -> list[Path]:
        """Move everything to its final place; what was written there."""
        self.commit()
        with full_disk(self):
            written = self.writer.finish(self.out, classes)
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return written

    def close(self) -> None:
        """Let go; what was committed stays in the folder aside, which is removed where that is nothing."""
        if hasattr(self, "writer"):
            self.writer.close()
        if self._fresh and not self.saved:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._locks.close()

    def _lock(self) -> None:
        """Make the folder aside, and be the one who writes there."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / _LOCK).touch()
        if not self._locks.enter_context(locked(self.folder / _LOCK)) and os.name == "posix":
            raise DataError("another process is making it", where=str(self.out))

    def _begin(self, resume: bool) -> dict[str, Any]:
        """Take over what lies in the folder aside, or empty it; the writer's state of an earlier run, or nothing."""
        if resume and (self.folder / MADE).exists() and (found := self._read_state()) is not None:
            self._same_job(found.get("job", {}))
            self.progress = Progress(**found["progress"])
            self.saved = self.progress.next
            return dict(found["state"])
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._fresh = True
        return {}

    def _read_state(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads((self.folder / _STATE).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise DataError(f"the notes of the earlier run cannot be read: {error}", where=str(self.folder / _STATE),
                            hint="begin anew, without --resume") from error

    def _same_job(self, old: dict[str, Any]) -> None:
        for name in {**self.job, **old}:
            if self.job.get(name) != old.get(name):
                raise DataError(f"the earlier run had {name} {old.get(name)}, this one has {self.job.get(name)}",
                                where=str(self.out), hint="give the same source and options, or begin anew without --resume")

    def _restore(self) -> None:
        """Bring back what a job was about to replace when it was killed."""
        old = self.folder / _OLD
        if old.exists() and not self.out.exists():
            os.replace(old, self.out)


def move(made: Path, out: Path) -> None:
    """A folder from its place aside to its final one; where one stands there, the two change places at one blow.

    On systems that cannot do that the old one goes aside first, and comes back where the move fails; after a kill in between
    the next job brings it back.
    """
    old = made.parent / _OLD
    if not out.exists():
        os.replace(made, out)
        return
    os.replace(made, old)  # under a name that no resumed job takes for its own
    if _exchanged(old, out):
        return
    os.replace(old, made)
    os.replace(out, old)
    try:
        os.replace(made, out)
    except BaseException:
        os.replace(old, out)
        raise


def _exchanged(one: Path, two: Path) -> bool:
    """Whether two folders have changed places (Linux's renameat2), so that there is always one under each name."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):  # a C library without it
        return False
    return int(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(two), _EXCHANGE)) == 0


def check_free(out: Path, kind: str, force: bool) -> None:
    """Raise DataError where something stands at ``out`` that must not be replaced."""
    from netdef.datasets.kinds import KINDS

    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not force:
        raise DataError("there is something already", where=str(out), hint="--force replaces it, once the new one is whole")
    if not KINDS[kind].replaces(out):
        raise DataError(f"it is no {KINDS[kind].text}, so it is not replaced", where=str(out), hint="move it away yourself")


def kind_of(out: str | os.PathLike[str], wanted: str | None = None) -> str:
    """The kind of file to write: ``wanted``, or what the name's ending says; an LMDB where it says nothing. Raises DataError."""
    from netdef.datasets.kinds import KINDS

    name = os.fspath(out)
    if wanted is not None:
        if wanted not in KINDS:
            raise DataError(f"no kind '{wanted}' to write", where=name, hint=did_you_mean(wanted, KINDS) or
                            f"there are {', '.join(KINDS)}")
        return wanted
    return next((kind for kind, known in KINDS.items() if name.lower().endswith(known.endings)), "lmdb")


@contextlib.contextmanager
def full_disk(target: Target) -> Iterator[None]:
    """Say of a full disk what was kept, and how to go on."""
    try:
        yield
    except (OSError, WeightsError) as error:
        cause = error.__cause__ if isinstance(error, WeightsError) else error
        full = getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "errno = 28" in str(cause)
        if not full:
            raise
        old = " what stood there is as it was," if target.out.exists() else ""
        reason = os.strerror(getattr(cause, "errno", None) or errno.ENOSPC)
        raise DataError(f"cannot write: {reason}", where=str(target.out), hint=f"free some space;{old} the "
                        "same command with --resume goes on from the last records that were kept") from error
