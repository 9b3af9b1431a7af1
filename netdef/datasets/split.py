"""Divides a data set: which record goes into which part."""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from netdef.datasets.copying import ordered
from netdef.datasets.records import RecordSet, read
from netdef.errors import DataError
from netdef.rng import Stream


class Part(NamedTuple):
    """A part: where it goes, and its share of the records (below 1, or exactly 1) or their number."""

    out: str
    size: float

    @property
    def share(self) -> bool:
        """Whether ``size`` is a share."""
        return self.size <= 1


def read_parts(text: str) -> list[Part]:
    """``train=0.8,val=0.2``, or numbers of records, ``train=50000,val=10000``. Raises DataError."""
    parts = []
    for piece in text.split(","):
        out, equals, size = (t.strip() for t in piece.rpartition("="))
        try:
            value = float(size)
        except ValueError:
            value = -1
        if not equals or not out or not math.isfinite(value) or value <= 0 or (value > 1 and value != int(value)):
            raise DataError(f"expected NAME=SHARE with a share up to 1, or NAME=NUMBER of records, got '{piece.strip()}'",
                            hint="for example train=0.8,val=0.2")
        parts.append(Part(out, value))
    twice = next((p.out for i, p in enumerate(parts) if p.out in [q.out for q in parts[:i]]), None)
    if twice:
        raise DataError(f"'{twice}' is named twice")
    if len({p.share for p in parts}) > 1:
        raise DataError("expected shares or numbers of records, got both", hint="for example train=0.8,val=0.2")
    if parts[0].share and sum(p.size for p in parts) > 1 + 1e-9:
        raise DataError(f"the shares add up to {sum(p.size for p in parts):g}, expected at most 1")
    return parts


def assign(count: int, parts: list[Part], labels: np.ndarray | None, seed: int = 0) -> np.ndarray:
    """The part (0, 1, ...) of each of ``count`` records, int64, drawn with ``seed``; -1 for those in none.

    With ``labels`` (count) every part gets its share of each class, up to rounding. Raises DataError where there are too
    few records.
    """
    shares = np.array([p.size for p in parts]) / (1 if parts[0].share else count)
    if shares.sum() > 1 + 1e-9:
        raise DataError(f"expected at most {count} records in all parts, got {sum(p.size for p in parts):g}")
    groups = [np.arange(count)] if labels is None else [np.flatnonzero(labels == k) for k in np.unique(labels)]
    mixed = np.concatenate([g[Stream(seed, "split", k).permutation(len(g))] for k, g in enumerate(groups)])
    made = np.empty(count, np.int64)
    made[mixed] = _dealt(count, [*shares.tolist(), max(0.0, 1 - float(shares.sum()))])
    return np.where(made == len(parts), -1, made)


def _dealt(count: int, shares: list[float]) -> list[int]:
    """``count`` cards dealt to players: each goes to the one who lacks most of his share of those dealt so far.

    At any moment nobody is off his share by much more than half a card, so that runs of cards (classes) are shared fairly too.
    """
    lacks, players, made = [0.0] * len(shares), range(len(shares)), []
    for _ in range(count):
        for k in players:
            lacks[k] += shares[k]
        chosen = max(players, key=lacks.__getitem__)
        lacks[chosen] -= 1
        made.append(chosen)
    return made


def labels_of(records: RecordSet, threads: int | None = None) -> np.ndarray:
    """All labels (N), class numbers. Raises DataError for labels that are none."""
    found = records.labels()
    if found is None:
        found = np.array([np.asarray(r.label) for _, r in ordered(lambda i: read(records, i), range(len(records)), threads)])
    if found.ndim > 1 or (found != np.rint(found)).any():
        raise DataError("--stratify needs class numbers as labels", where=records.name)
    return found
