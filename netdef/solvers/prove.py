"""Proof of an exact resume on a user's own solver: 2n iterations against n, a snapshot, a new solver, and n more."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netdef.solvers import events as e
from netdef.solvers.solver import Solver
from netdef.solvers.state import encode_plain

Make = Callable[[list[str], int | None], Solver]


@dataclass(frozen=True)
class Proof:
    """``first`` names the first thing that differs after 2n iterations, empty where all is equal bit for bit;
    ``compared`` is the number of arrays and other things looked at."""

    iterations: int
    compared: int
    first: str = ""

    @property
    def holds(self) -> bool:
        """Whether the resume is exact."""
        return not self.first

    def __str__(self) -> str:
        n = self.iterations
        head = f"{2 * n} iterations in one go against {n}, a snapshot, a new solver and {n} more: "
        if self.holds:
            return f"{head}equal bit for bit ({self.compared} arrays and states compared)"
        return f"{head}not equal; {self.first}"


def prove_resume(make: Make, n: int, folder: Path, announce: Callable[[str], None] = lambda text: None) -> Proof:
    """Train twice and compare losses, test outputs, params, histories, averages and the state of the data.

    ``make(overrides, seed)`` gives a fresh solver with fields laid over its file; snapshots go into ``folder``.
    ``announce`` is told what comes next.
    """
    overrides = [f"snapshot_prefix={folder / 'proof'}", "snapshot=0", "snapshot_keep=0", "snapshot_best=0",
                 "early_stop=0"]
    announce(f"{2 * n} iterations in one go")
    with make(overrides, None) as straight:
        seed = straight.net.seed
        expected = _told(straight)
        straight.step(2 * n)
        wanted = _all_of(straight)
    announce(f"{n} iterations and a snapshot")
    with make(overrides, seed) as first:
        seen = _told(first)
        first.step(n)
        state = first.snapshot()[1]
    announce(f"a new solver, and {n} iterations from the snapshot")
    with make(overrides, None) as second:
        second.restore(state)
        later = _told(second)
        second.step(n)
        found = _all_of(second)
    difference = _difference_of_events(expected, seen + later) or _difference(wanted, found)
    return Proof(n, len(wanted) + len(expected), difference)


def _told(solver: Solver) -> list[tuple[int, str, Any]]:
    """The losses and test outputs from now on."""
    told: list[tuple[int, str, Any]] = []

    def listen(event: e.Event) -> None:
        if isinstance(event, e.Updated):
            told.append((event.iter, "loss", (event.loss, event.lr)))
        elif isinstance(event, e.Tested):
            told.append((event.iter, f"outputs of test net {event.net}", [(o.name, o.value) for o in event.outputs]))

    solver.listen(listen)
    return told


def _all_of(solver: Solver) -> dict[str, np.ndarray | str]:
    """Everything that training changes, by name."""
    found: dict[str, np.ndarray | str] = {}
    for kind, params in (("param", solver.net.params), ("average", solver.ema.params if solver.ema else {})):
        for layer, blobs in params.items():
            for i, blob in enumerate(blobs):
                found[f"{kind} {i} of layer '{layer}'"] = blob.data.copy()
    rule = solver.update.rule
    for i, history in enumerate(rule.history):
        found[f"history {i}, of {rule.history_name(i)}"] = history.copy()
    tests, monitor, lowered = solver.observed()
    found["the state of the train net (data position)"] = encode_plain(solver.net.state())
    found["the state of the test nets"] = encode_plain(tests)
    found["the state of the monitor"] = encode_plain([monitor, lowered])
    return found


def _difference_of_events(expected: list[tuple[int, str, Any]], found: list[tuple[int, str, Any]]) -> str:
    for mine, theirs in zip(expected, found, strict=False):
        if repr(mine) != repr(theirs):  # so that NaN equals NaN
            return f"first difference after iteration {mine[0]}: {mine[1]} {_short(mine[2])} and {_short(theirs[2])}"
    if len(expected) != len(found):
        return f"{len(expected)} losses and tests were seen in one go, {len(found)} with the resume"
    return ""


def _difference(wanted: dict[str, np.ndarray | str], found: dict[str, np.ndarray | str]) -> str:
    for name, mine in wanted.items():
        theirs = found[name]
        if isinstance(mine, str) or isinstance(theirs, str):
            if mine != theirs:
                return f"{name} differs"
        elif mine.tobytes() != theirs.tobytes():
            places = np.flatnonzero(mine.reshape(-1).view(np.uint8) != theirs.reshape(-1).view(np.uint8))
            return f"{name} differs from value {int(places[0]) // mine.itemsize} on"
    return ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
