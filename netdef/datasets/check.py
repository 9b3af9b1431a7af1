"""Looks for what is wrong with a data set: records that cannot be read, shapes, labels, copies of one picture, balance."""
from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from netdef.datasets.copying import Told, ordered
from netdef.datasets.records import RecordSet, array
from netdef.errors import DataError

SHOWN = 10
"""Places that are listed for each kind of finding."""
UNBALANCED = 10
"""A class this many times larger than another is worth a note."""


class Finding(NamedTuple):
    """One thing: what kind of thing, whether it is a mistake or only worth knowing, where, and what."""

    kind: str
    wrong: bool
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {'error' if self.wrong else 'note'}: {self.text}"


@dataclass
class Report:
    """All findings, in the order in which they were made."""

    findings: list[Finding] = field(default_factory=list)
    looked_at: dict[str, int] = field(default_factory=dict)

    @property
    def wrong(self) -> int:
        """How many findings are mistakes."""
        return sum(f.wrong for f in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"records": self.looked_at, "wrong": self.wrong, "findings": [f._asdict() for f in self.findings]}

    def __str__(self) -> str:
        """Findings by kind, the first few of each, and a last line that sums up."""
        lines = []
        for kind in dict.fromkeys(f.kind for f in self.findings):
            members = [f for f in self.findings if f.kind == kind]
            lines += [str(f) for f in members[:SHOWN]]
            lines += [f"  and {len(members) - SHOWN:,} more: {kind}"] if len(members) > SHOWN else []
        looked = ", ".join(f"{name}: {n:,} records" for name, n in self.looked_at.items())
        notes = len(self.findings) - self.wrong
        lines.append(f"{looked}; " + (f"{self.wrong:,} error{'s' * (self.wrong != 1)}" if self.wrong else "nothing wrong")
                     + (f", {notes:,} note{'s' * (notes != 1)}" if notes else ""))
        return "\n".join(lines)


class _Known(NamedTuple):
    """Where pixels were seen first, and with which label."""

    place: str
    label: object
    source: int


def check(sources: list[RecordSet], gray: bool = False, threads: int | None = None, told: Told | None = None) -> Report:
    """Look at every record of one set, or of two that must have nothing in common (train and test)."""
    report = Report()
    known: dict[bytes, _Known] = {}
    counts = [_check_one(number, records, report, known, gray, threads, told) for number, records in enumerate(sources)]
    if len(sources) == 2:
        _compare(sources, counts, report)
    return report


class _Counted(NamedTuple):
    """Labels and the shape of the first record of a set, and whether its pictures have boxes."""

    labels: Counter[int]
    shape: tuple[int, ...] | None
    boxed: bool


def _check_one(number: int, records: RecordSet, report: Report, known: dict[bytes, _Known], gray: bool,
               threads: int | None, told: Told | None) -> _Counted:
    labels: Counter[int] = Counter()
    shape: tuple[int, ...] | None = None
    report.looked_at[records.name] = len(records)
    boxed = False
    for i, found in ordered(lambda i: _look(records, i, gray), range(len(records)), threads):
        if told is not None:
            told(i + 1, len(records))
        if isinstance(found, DataError):
            report.findings.append(Finding("unreadable", True, str(found.where), found.message))
            continue
        place = records.place(i)
        shape = shape or found.shape
        boxed = boxed or found.boxed
        if found.shape != shape and not found.boxed:  # pictures with boxes are resized by the nets that read them
            report.findings.append(Finding("shape", True, place, f"expected the shape of the first record, {_x(shape)}, got "
                                           f"{_x(found.shape)}"))
        labels.update(found.classes)
        if not found.finite:
            report.findings.append(Finding("value", True, place, "a value is not finite"))
        if min(found.classes, default=0) < 0:
            report.findings.append(Finding("label", True, place, f"expected a class number from 0 on, got {min(found.classes)}"))
        first = known.setdefault(found.digest, _Known(place, found.label, number))
        if first.place != place or first.source != number:
            report.findings.append(_copy(first, found.label, place, number))
    _check_labels(records, labels, report, boxed)
    return _Counted(labels, shape, boxed)


class _Seen(NamedTuple):
    """What is looked at in one record."""

    shape: tuple[int, ...]
    digest: bytes
    label: object
    classes: list[int]
    finite: bool
    boxed: bool


def _look(records: RecordSet, index: int, gray: bool) -> _Seen | DataError:
    try:
        pixels, record = array(records, index, gray)
    except DataError as error:
        return error
    label = np.asarray(record.label)
    if record.boxes is not None:
        classes, shown = [b.label for b in record.boxes], None
    else:
        whole = not label.ndim and np.isfinite(label) and label == int(label)
        classes, shown = [int(label)] if whole else [], tuple(label.ravel().tolist())
    digest = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16, person=_x(pixels.shape)[:16].encode()).digest()
    return _Seen(pixels.shape, digest, shown, classes, pixels.dtype == np.uint8 or bool(np.isfinite(pixels).all()),
                 record.boxes is not None)


def _copy(first: _Known, label: object, place: str, number: int) -> Finding:
    """The finding for pixels that were seen before."""
    differ = f", which has another label ({_label(first.label)}, here {_label(label)})" if label != first.label else ""
    if first.source != number:
        return Finding("in both sets", True, place, f"the same pixels as {first.place} of the other set{differ}")
    kind = "copies with two labels" if differ else "copies"
    return Finding(kind, bool(differ), place, f"the same pixels as {first.place}{differ}")


def _check_labels(records: RecordSet, labels: Counter[int], report: Report, boxed: bool) -> None:
    """Numbers without records, numbers without names, and classes of very different sizes. That no box has a class is worth
    knowing, and no mistake."""
    known = sorted(k for k in labels if k >= 0)
    if not known:
        return
    names = records.classes
    background = boxed or (names is not None and len(names) > 0 and names[0].lower() == "background")
    absent = sorted(set(range(int(background), max(known) + 1)) - set(known))
    if absent and len(known) > 1:
        text = f"no {'box' if boxed else 'record'} has the label{'s' * (len(absent) > 1)} {', '.join(map(str, absent[:10]))}"
        text += f"{', ...' if len(absent) > 10 else ''}; there are labels up to {max(known)}"
        report.findings.append(Finding("gap", not boxed, records.name, text))
    if names and max(known) >= len(names):
        report.findings.append(Finding("label", True, records.name, f"labels go up to {max(known)}, names are known of "
                                       f"{len(names)} classes"))
    largest, smallest = max(known, key=lambda k: labels[k]), min(known, key=lambda k: labels[k])
    if labels[largest] > UNBALANCED * labels[smallest]:
        report.findings.append(Finding("balance", False, records.name, f"class {largest} comes up {labels[largest]:,} times, "
                                       f"class {smallest} {labels[smallest]:,} times"))


def _compare(sources: list[RecordSet], counts: list[_Counted], report: Report) -> None:
    """What two sets must have in common: shape and classes."""
    one, two = counts
    name = sources[1].name
    if one.shape and two.shape and one.shape != two.shape and not (one.boxed or two.boxed):
        report.findings.append(Finding("shape", True, name, f"expected records of {_x(one.shape)}, as in {sources[0].name}, got "
                                       f"{_x(two.shape)}"))
    new = sorted(set(two.labels) - set(one.labels))
    if new:
        report.findings.append(Finding("label", True, name, f"labels that {sources[0].name} does not have: "
                                       f"{', '.join(map(str, new[:10]))}"))


def _label(label: object) -> str:
    return ", ".join(f"{v:g}" for v in label) if isinstance(label, tuple) else str(label)


def _x(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
