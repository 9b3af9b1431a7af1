"""From records to data sets: read and prepared by several threads, written in order by one."""
from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from netdef.data.images import resize
from netdef.datasets.reading import PictureRecords
from netdef.datasets.records import Record, RecordSet, encode, located, read
from netdef.datasets.target import Target
from netdef.errors import DataError

log = logging.getLogger("netdef")
T = TypeVar("T")
Told = Callable[[int, int], None]
"""Called with the number of records done, and of all."""
COMMIT = 1000  # records between two commits, as in Caffe's tools
_SAME_ENDINGS = {"png": (".png",), "jpg": (".jpg", ".jpeg")}


@dataclass(frozen=True)
class Prepare:
    """What is done to each record before it is written: size, grey, and whether pictures stay files."""

    size: tuple[int, int] | None = None
    """height, width"""
    gray: bool = False
    encoded: str | None = None
    """"png" or "jpg": records are written as such files; "same": each as what it was"""
    keep: bool = False
    """Picture files that need no change stay what they are (for a folder of pictures)."""

    def __call__(self, record: Record) -> Record:
        """The record as it is to be written. Raises ValueError and DataError."""
        ending = os.path.splitext(record.name)[1].lower()
        untouched = record.encoded is not None and self.size is None and not self.gray
        if untouched and record.file and not self.keep:
            untouched = self.encoded == "same" or ending in _SAME_ENDINGS.get(self.encoded or "", ())
        if untouched or (record.encoded is None and self == Prepare()):
            return record
        pixels = record.array(self.gray)
        if self.size is not None:
            pixels = np.ascontiguousarray(resize(pixels.transpose(1, 2, 0), *self.size).transpose(2, 0, 1))
        if self.encoded is None:
            return Record(record.label, pixels, name=record.name, boxes=record.boxes)
        kind = self.encoded if self.encoded != "same" else "jpg" if ending in _SAME_ENDINGS["jpg"] else "png"
        return Record(record.label, encoded=encode(pixels, kind), name=record.name, boxes=record.boxes)


class Copied(NamedTuple):
    """What a copy came to: the files of each target, the records in it and those left out."""

    written: list[list[Path]]
    counts: list[int]
    skipped: int


def copy(records: RecordSet, targets: Sequence[Target], prepare: Prepare, *, which: np.ndarray | None = None,
         threads: int | None = None, skip_bad: bool = False, told: Told | None = None) -> Copied:
    """Write records into targets: all into the only one, or record i into targets[which[i]] (-1: into none).

    A record that cannot be read ends the job with a DataError that says where it stands; with ``skip_bad`` it is left out
    with a warning. Whatever ends the job early, what was done is kept for ``resume``. The targets are closed.
    """
    total = len(records)
    try:
        start = min(t.progress.next for t in targets)
        for i, record in ordered(lambda i: _prepared(records, i, prepare), range(start, total), threads):
            if isinstance(record, DataError) and not skip_bad:
                record.hint = record.hint or "--skip-bad leaves such records out"
                raise record
            if isinstance(record, DataError):
                log.warning("%s; left out", record)
            _hand_over(records, i, record, targets, 0 if which is None else int(which[i]))
            if told is not None:
                told(i + 1, total)
            if (i + 1) % COMMIT == 0:
                for target in targets:
                    target.commit()
        for target in targets:
            target.commit()
        skipped = sum(t.progress.skipped for t in targets)
        counts = [t.progress.taken - t.progress.skipped for t in targets]
        empty = next((t for t, n in zip(targets, counts, strict=True) if not n), None)
        if empty is not None:
            raise DataError("there is no record to write", where=str(empty.out))
        return Copied([t.finish(records.classes) for t in targets], counts, skipped)
    except BaseException as error:
        _keep(targets, error)
        raise
    finally:
        for target in targets:
            target.close()


def ordered(work: Callable[[int], T], indices: range, threads: int | None = None) -> Iterator[tuple[int, T]]:
    """(i, work(i)) in the order of ``indices``, computed by ``threads`` threads a little ahead."""
    threads = threads or int(os.environ.get("NETDEF_NUM_THREADS") or 0) or os.cpu_count() or 1
    if threads == 1:
        yield from ((i, work(i)) for i in indices)
        return
    ahead: deque[tuple[int, Future[T]]] = deque()
    with ThreadPoolExecutor(threads, "netdef-data") as pool:
        try:
            for i in indices:
                ahead.append((i, pool.submit(work, i)))
                if len(ahead) > 8 * threads:
                    first, done = ahead.popleft()
                    yield first, done.result()
            while ahead:
                first, done = ahead.popleft()
                yield first, done.result()
        finally:
            for _, future in ahead:
                future.cancel()


def check_files(records: RecordSet, most: int = 10) -> None:
    """Raise DataError that names the pictures of a list or folder that are not there, before any work is done."""
    missing = records.missing() if isinstance(records, PictureRecords) else []
    if missing:
        lines = [f"  {records.place(i)}" for i in missing[:most]]
        lines += [f"  and {len(missing) - most} more"] if len(missing) > most else []
        raise DataError(f"{len(missing)} of {len(records)} pictures are missing", where=records.name,
                        hint="--skip-bad goes on without them", notes=lines)


def _prepared(records: RecordSet, index: int, prepare: Prepare) -> Record | DataError:
    """The record, or what is wrong with it."""
    try:
        record = read(records, index)
        try:
            return prepare(record)
        except (ValueError, DataError) as error:
            return located(records, index, error)
    except DataError as error:
        return error


def _hand_over(records: RecordSet, index: int, record: Record | DataError, targets: Sequence[Target], chosen: int) -> None:
    """Give a record to its target; the others pass over it. Targets that had it in an earlier run are left alone."""
    for k, target in enumerate(targets):
        if index < target.progress.next:
            continue
        if k != chosen:
            target.skip(bad=False)
        elif isinstance(record, DataError):
            target.skip()
        else:
            try:
                target.add(record)
            except ValueError as error:
                raise located(records, index, error) from error


def _keep(targets: Sequence[Target], error: BaseException) -> None:
    """Save what was done, and say so; nothing here may hide the error."""
    try:
        for target in targets:
            target.commit()
    except Exception as second:
        log.debug("not kept: %s", second)
    done = min((t.saved for t in targets), default=0)
    if done and not (isinstance(error, DataError) and "--resume" in error.hint):
        text = "1 record is" if done == 1 else f"{done:,} records are"
        log.warning("%s kept aside; the same command with --resume goes on from there", text)
