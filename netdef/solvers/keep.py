"""Which snapshots of a run stay: the last ones and the best ones. Others go, once a newer one is whole on the disk."""
from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from netdef.errors import warn


@dataclass
class Kept:
    """One snapshot: ``state`` and ``weights`` are paths as written, ``value`` the monitor's at its iteration.

    ``due``: `snapshot` or the end of the training asked for it; else it is here for its value alone.
    """

    iter: int
    state: str
    weights: list[str]
    due: bool
    value: float | None = None


class Keeper:
    """The snapshots that a run has written and not deleted.

    ``last`` due ones stay (0: all), and those with the ``best`` best values. Only what this run wrote, or the run that
    it goes on from under the same prefix, is ever deleted.
    """

    def __init__(self, last: int, best: int, less: bool) -> None:
        self.last = last
        self.best = best
        self.less = less
        self.entries: list[Kept] = []

    def with_new(self, iteration: int, state: Path, weights: Sequence[Path], due: bool,
                 value: float | None) -> list[Kept]:
        """The entries as they will be with a snapshot more; nothing is noted yet."""
        new = Kept(iteration, str(state), [str(w) for w in weights], due,
                   None if value != value else value)
        return [*(k for k in self.entries if k.iter != iteration), new]

    def has(self, iteration: int) -> bool:
        """Whether there is a snapshot of an iteration."""
        return any(k.iter == iteration for k in self.entries)

    def note(self, iteration: int, value: float) -> None:
        """Give the snapshot of an iteration its value, if there is one."""
        for kept in self.entries:
            if kept.iter == iteration and value == value:
                kept.value = value

    def wants(self, value: float) -> bool:
        """Whether a value is among the best so far."""
        if not self.best or value != value:
            return False
        values = [k.value for k in self._ranked()]
        worst = values[self.best - 1] if len(values) >= self.best else None
        return worst is None or (value < worst if self.less else value > worst)

    def prune(self) -> list[Kept]:
        """Delete the files of what need not stay; the entries that are gone.

        Each state goes before its weights, so that no state ever lies there without the weights that it names; if the
        process ends between the two, the next run under this prefix, which knows of the snapshot, deletes the rest.
        """
        stay = {id(k) for k in self._ranked()[: self.best]}
        due = sorted((k for k in self.entries if k.due), key=lambda k: k.iter)
        stay |= {id(k) for k in (due[-self.last:] if self.last else due)}
        gone = [k for k in self.entries if id(k) not in stay and _delete(k)]
        self.entries = [k for k in self.entries if k not in gone]
        return gone

    def _ranked(self) -> list[Kept]:
        """Those with a value, the best first; of equal ones the earliest."""
        known = [k for k in self.entries if k.value is not None]
        return sorted(known, key=lambda k: ((k.value or 0.0) * (1 if self.less else -1), k.iter))

    def set_state(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Take over the entries that ``plain`` gave."""
        self.entries = [Kept(**kept) for kept in state]


def plain(entries: Sequence[Kept]) -> list[dict[str, Any]]:
    """Entries for a snapshot's JSON."""
    return [asdict(kept) for kept in entries]


def _delete(kept: Kept) -> bool:
    for path in [kept.state, *kept.weights]:
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        except OSError as error:
            warn(f"cannot delete an old snapshot: {error.strerror or error}", path)
            return False
    return True
