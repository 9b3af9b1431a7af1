"""A run's directory as something to look at: its solver, its newest snapshot, its curves."""
from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from netdef.errors import NetdefError
from netdef.report.collect import plain_curve
from netdef.report.numbers import Plain
from netdef.solvers.curves import curves, read_run_records, usual
from netdef.solvers.rundir import RUN, snapshot_prefix

SOLVER = "solver.prototxt"


@dataclass(frozen=True)
class RunData:
    """The config of a run, the .solverstate to go on from, and the curves of its metrics as the page takes them."""

    solver: str
    snapshot: str
    curves: list[Plain]


def read_run_data(folder: str) -> RunData | None:
    """What `netdef train` left in a directory; None where it is no run's. Raises NetdefError where it has no snapshot."""
    place = Path(folder)
    if not (place / RUN).is_file() or not (place / SOLVER).is_file():
        return None
    state = newest_state(place)
    if state is None:
        raise NetdefError("the run has no snapshot, so there are no trained params to look at", where=folder,
                          hint=f"{place / SOLVER} begins anew, with params that are not trained")
    return RunData(str(place / SOLVER), str(state), run_curves(place))


def run_curves(folder: Path) -> list[Plain]:
    """The curves of a run's metrics; none where it has none. Raises NetdefError for a file that is damaged."""
    if not (folder / "metrics.jsonl").is_file():
        return []
    records = read_run_records(folder)
    return [plain_curve(c.name, q, c.xy("iteration"), c.raw) for q in usual([records]) for c in curves(records, q)]


def newest_state(folder: Path) -> Path | None:
    """The .solverstate of the most iterations in a run's directory; None where it has none."""
    prefix = Path(snapshot_prefix(folder))
    found: dict[float, Path] = {}
    for path in prefix.parent.glob(f"{prefix.name}_iter_*.solverstate*"):
        number = path.name.removeprefix(f"{prefix.name}_iter_").partition(".")[0]
        if path.name.endswith((".solverstate", ".solverstate.h5")):
            found[float(number) if number.isdecimal() else -math.inf] = path
    return found[max(found)] if found else None
