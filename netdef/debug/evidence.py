"""Evidence: what is written into a run's folder when a value is not finite, so that it can be looked at later."""
from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netdef.debug.finding import Finding
from netdef.debug.recording import record
from netdef.errors import NetdefError
from netdef.solvers.solver import Solver
from netdef.weights.atomic import atomic_write


def write_evidence(solver: Solver, finding: Finding, losses: Sequence[float] = ()) -> tuple[Path, Path]:
    """The recording of the iteration at hand, as `netdef grads` writes it, and the finding as text beside it.

    They are called ``<prefix>_nan_iter_<n>.npz`` and ``.txt``, after the snapshots' prefix. Raises SolverError or
    WeightsError where they cannot be written. ``losses`` are those of the last iterations.
    """
    base = f"{solver.snapshots.prepare()}_nan_iter_{solver.iter}"
    recording, text = Path(base + ".npz"), Path(base + ".txt")
    with np.errstate(all="ignore"):
        record(solver.net, solver.iter).write(recording)
    with atomic_write(text) as file:
        file.write(_text(solver, finding, recording, losses).encode())
    return recording, text


def try_evidence(solver: Solver, finding: Finding, losses: Sequence[float] = ()) -> str:
    """Write it, and say in a sentence where it is, or why it could not be written: that must not hide the finding."""
    try:
        return f"evidence is in {write_evidence(solver, finding, losses)[1]}"
    except (NetdefError, OSError) as error:
        return f"no evidence was written: {getattr(error, 'message', error)}"


def _text(solver: Solver, finding: Finding, recording: Path, losses: Sequence[float]) -> str:
    file = solver.located.file
    again = f"netdef blame {shlex.quote(file)} --seed {solver.net.seed} --iterations {solver.iter + 1}"
    return "\n".join([
        str(finding), "",
        f"net '{solver.net.name}', solver {file}, iteration {solver.iter}, seed {solver.net.seed}",
        f"recording of this iteration, before its update: {recording}",
        f"replay from the start:  {again}", "",
        "losses of the last iterations: " + (", ".join(f"{x:g}" for x in losses) or "-"), ""])
