"""Folders for `netdef doctor`: databases, runs, recordings. Nothing in them is changed (LevelDB itself is not opened)."""
from __future__ import annotations

import re
from pathlib import Path

from netdef.data.datum import AS_STORED
from netdef.data.lmdb_source import check_size, open_lmdb
from netdef.debug.filereport import FileReport, count, some
from netdef.errors import DataError, NetdefError

_TABLE_END = bytes.fromhex("57fb808b247547db")  # the last eight bytes of every table of a LevelDB
_TABLES = (".ldb", ".sst")
_MOST = 10_000  # entries of a folder that are looked at


def examine(path: Path, report: FileReport) -> None:
    """Fill the report of a folder."""
    names = sorted(p.name for p, _ in zip(path.iterdir(), range(_MOST), strict=False))
    if "data.mdb" in names:
        lmdb(path, report)
    elif "CURRENT" in names:
        _leveldb(path, names, report)
    elif any(re.fullmatch(r"iter_\d+\.npz", n) for n in names):
        numbers = [int(n[5:-4]) for n in names if re.fullmatch(r"iter_\d+\.npz", n)]
        report.kind, report.origin = "recordings: data and gradients of every layer", "netdef"
        report.facts["iterations"] = f"{count(len(numbers), 'recording')}, {min(numbers):,} to {max(numbers):,}"
        report.next = [f"netdef grads NET_OR_SOLVER --compare {path}"]
    else:
        _folder(path, names, report)


def lmdb(path: Path, report: FileReport) -> None:
    """An LMDB: the folder, or the file with its pages."""
    report.kind = "LMDB: a database of records"
    try:
        check_size(str(path))
        source = open_lmdb(str(path), AS_STORED)
    except DataError as error:
        if "is not installed" in error.message:
            report.cannot.append(f"{error.message}; {error.hint}")
        elif "the database has no records" in error.message:
            report.facts["records"] = 0
            report.cannot.append("it has no records")
        elif error.message.startswith("record 0") and "Datum" in error.message:
            report.cannot.append(error.message + ": made for another program")
        else:
            report.broken = error.message
        return
    try:
        report.origin = "Caffe's convert_imageset, or another writer of Datum records"
        _, label = source.record(0)
        report.facts |= {"records": len(source), "first record": f"{'x'.join(map(str, source.shape))}, label {label}"}
        report.next = [f'data_param {{ source: "{path}" backend: LMDB batch_size: ... }}']
    except NetdefError as error:
        report.broken = error.message
    finally:
        source.close()


def _leveldb(path: Path, names: list[str], report: FileReport) -> None:
    report.kind = "LevelDB: a database of records"
    manifest = (path / "CURRENT").read_bytes()[:200].decode("utf-8", "replace").strip()
    tables = [n for n in names if n.endswith(_TABLES)]
    report.facts |= {"tables": len(tables), "bytes": sum((path / n).stat().st_size for n in names)}
    if manifest not in names:
        report.broken = f"CURRENT names '{manifest}', which is not in the folder"
        return
    for name in tables:
        with open(path / name, "rb") as f:
            size = f.seek(0, 2)
            f.seek(max(0, size - 8))
            if f.read() != _TABLE_END:
                report.broken = f"{name}: byte {size:,}: the table does not end as one"
                report.sound = count(tables.index(name), "table")
                return
    report.notes.append("it was not opened, since LevelDB writes into its folder even to read")
    report.next = [f'data_param {{ source: "{path}" backend: LEVELDB batch_size: ... }}']


def _folder(path: Path, names: list[str], report: FileReport) -> None:
    """A run of a training, or whatever a folder holds that a net has to do with."""
    def ending(*ends: str) -> list[str]:
        return [n for n in names if n.lower().endswith(ends) and not n.startswith(".")]

    states, models = ending(".solverstate", ".solverstate.h5"), ending(".caffemodel", ".caffemodel.h5")
    configs = ending(".prototxt", ".yaml", ".yml")
    report.kind = "run: snapshots of a training" if states else "folder"
    report.facts |= {k: some(v, 4) for k, v in (("configs", configs), ("weights", models), ("states", states)) if v}
    if not report.facts:
        report.facts["holds"] = some(names) or "nothing"
    if states:
        newest = max(states, key=lambda n: (path / n).stat().st_mtime)
        solver = next((n for n in configs if "solver" in n), None)
        report.next = [f"netdef train {path / solver if solver else 'solver.yaml'} --snapshot {path / newest}"]
    elif configs or models:
        report.next = [f"netdef doctor {path / (configs or models)[0]}"]
