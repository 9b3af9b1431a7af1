"""Opens source and target of a job that writes one data set, and says what the job is."""
from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np

from netdef.datasets.copying import Prepare, check_files
from netdef.datasets.reading import PictureRecords, open_records, with_options
from netdef.datasets.records import Chosen, RecordSet
from netdef.datasets.split import assign, labels_of, read_parts
from netdef.datasets.target import Target, kind_of
from netdef.errors import DataError, warn
from netdef.rng import Stream


class Job(NamedTuple):
    """What ``copying.copy`` takes."""

    records: RecordSet
    target: Target
    prepare: Prepare


def open_job(source: str, options: dict[str, str | None], out: str | os.PathLike[str], kind: str | None, prepare: Prepare, *,
             shuffle: bool = False, seed: int = 0, limit: int | None = None, resume: bool = False, force: bool = False,
             skip_bad: bool = False) -> Job:
    """Open the source, choose and mix its records, and begin (or go on with) the target. Raises DataError."""
    kind = kind_of(out, kind)
    if prepare.encoded is not None and kind not in ("lmdb", "folder"):
        raise DataError(f"encoded pictures go into an LMDB, not into {kind}", where=os.fspath(out))
    prepare = replace(prepare, keep=kind == "folder")
    records = open_records(with_options(source, options), prepare.gray)
    try:
        if not skip_bad:
            check_files(records)
        if not prepare.gray and kind != "folder" and isinstance(records, PictureRecords) and records.grey():
            warn("the first picture is grey, and is stored in three equal channels, as by Caffe's tools", records.name,
                 "--gray stores one")
        records = mixed(records, shuffle, seed, limit)
        return Job(records, Target(out, kind, job_of(records, prepare, skip_bad), resume=resume, force=force), prepare)
    except BaseException:
        records.close()
        raise


def mixed(records: RecordSet, shuffle: bool = False, seed: int = 0, limit: int | None = None) -> RecordSet:
    """The records, or some of them in another order."""
    if not shuffle and limit is None:
        return records
    order = Stream(seed, "shuffle").permutation(len(records)) if shuffle else np.arange(len(records))
    return Chosen(records, order[:limit])


def job_of(records: RecordSet, prepare: Prepare, skip_bad: bool) -> dict[str, object]:
    """What a resumed run must agree on."""
    return {"source": records.name, "records": records.signature(), "changes": asdict(prepare), "skip_bad": skip_bad}


class SplitJob(NamedTuple):
    """What ``copying.copy`` takes for several targets."""

    records: RecordSet
    targets: list[Target]
    which: np.ndarray
    prepare: Prepare


def open_split(source: str, into: str, kind: str | None, prepare: Prepare, *, stratify: bool = False, shuffle: bool = False,
               seed: int = 0, resume: bool = False, force: bool = False, skip_bad: bool = False) -> SplitJob:
    """Open the source, draw which record goes into which part, and begin (or go on with) the parts. Raises DataError."""
    parts = read_parts(into)
    kinds = [kind_of(part.out, kind) for part in parts]
    prepare = replace(prepare, keep=set(kinds) == {"folder"})
    records = open_records(source, prepare.gray)
    targets: list[Target] = []
    try:
        if not skip_bad:
            check_files(records)
        records = mixed(records, shuffle, seed)
        which = assign(len(records), parts, labels_of(records) if stratify else None, seed)
        job = job_of(records, prepare, skip_bad) | {"parts": into, "stratified": stratify, "seed": seed}
        for part, made in zip(parts, kinds, strict=True):
            targets.append(Target(part.out, made, job, resume=resume, force=force))
    except BaseException:
        for target in targets:
            target.close()
        records.close()
        raise
    return SplitJob(records, targets, which, prepare)
