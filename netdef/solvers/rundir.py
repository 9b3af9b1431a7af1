"""The directory of a run: config, environment, metrics and, unless snapshot_prefix says otherwise, snapshots.

::

    runs/LeNet/3/
        solver.prototxt  net.prototxt     as resolved (resolved.py); `netdef train` reads them again
        run.json                          where the snapshots are, and one entry for each time it was started
        metrics.jsonl                     metrics.py; locked while the run is being trained (alive.py)
        film.jsonl                        with --serve or --html, what was seen layer by layer (report/filmfile.py)
        events.out.tfevents...            with --tensorboard
        LeNet_iter_5000.caffemodel ...    snapshots

A resumed run goes on in its directory. A config that then says something else takes the place of the old one, which is
kept as solver.1.prototxt, the number being that of the start it belonged to.
"""
from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netdef.errors import NetdefError, SolverError
from netdef.solvers.environment import environment
from netdef.solvers.metrics import METRICS, Metrics
from netdef.solvers.resolved import resolved
from netdef.solvers.snapshot import RUNS, find_state, next_run
from netdef.solvers.solver import Solver
from netdef.solvers.tbevents import TensorBoard, event_protos
from netdef.weights import atomic_write, sweep

RUN = "run.json"
VERSION = 1


class RunDirectory:
    """The directory of a solver's run.

    ``folder`` names it: new, empty, or with ``snapshot`` (a .solverstate that the solver will go on from) that of the
    run to go on with. Without it a resume goes on in the directory that the snapshot came from, if that can be found,
    and else the run gets ``runs/<net>/<next number>``. Made before training; raises SolverError where it cannot be
    written, or is another run's, NetdefError where ``tensorboard`` is asked for and absent. Close it, or use it in a
    ``with`` statement.
    """

    def __init__(self, solver: Solver, folder: str | os.PathLike[str] | None = None,
                 snapshot: str | os.PathLike[str] | None = None, tensorboard: bool = False) -> None:
        self.solver = solver
        self.snapshot = snapshot
        self.tensorboard = tensorboard
        self._closing: list[Any] = []
        if tensorboard:
            event_protos()
        home = Path(RUNS) / solver.snapshots.name
        found = find_run(find_state(snapshot), home) if snapshot is not None and folder is None else None
        try:
            self.folder = Path(folder) if folder is not None else found or next_run(home)
            if folder is not None:
                self._check_given(snapshot is not None)
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            place = folder if folder is not None else found or home
            raise SolverError(f"cannot make the run's directory '{place}': {error.strerror or error}",
                              hint="--run-dir puts it elsewhere") from error
        solver.snapshots.in_folder(self.folder)

    def _check_given(self, resumed: bool) -> None:
        if self.folder.is_dir() and any(self.folder.iterdir()) and not resumed:
            raise SolverError(f"the run's directory '{self.folder}' is not empty",
                              hint="take a new one, or go on with --snapshot")

    def begin(self, command: Sequence[str], weights: Sequence[str] = (), level: int | None = None,
              stages: Sequence[str] = ()) -> None:
        """Write config and environment and open the metrics; to be called when the snapshot is restored, before the
        first step. Raises NetdefError where something cannot be written."""
        known = {RUN, METRICS}
        sweep(self.folder, lambda name: name in known or name.endswith(".prototxt"))
        prefix = self.solver.snapshots.prepare()
        written: dict[str, Any] = {"version": VERSION, "starts": []}
        if (self.folder / RUN).exists():
            written = read_run(self.folder)
        starts: list[dict[str, Any]] = written["starts"]
        for name, text in resolved(self.solver, weights, level, stages).items():
            self._put(name, text, len(starts))
        snapshot = None if self.snapshot is None else os.path.abspath(self.snapshot)
        starts.append({"iteration": self.solver.iter, "snapshot": snapshot, **environment(self.solver.net.seed, command)})
        told = {**written, "net": self.solver.net.name, "snapshots": os.path.relpath(prefix, self.folder)
                if Path(prefix).parent == self.folder else os.path.abspath(prefix), "starts": starts}
        with atomic_write(self.folder / RUN, "w") as file:
            file.write(json.dumps(told, indent=2) + "\n")
        metrics = Metrics(self.solver, self.folder)
        self._closing.append(metrics)
        self.solver.listen(metrics)
        if self.tensorboard:
            board = TensorBoard(self.folder, self.solver.iter)
            metrics.followers.append(board)
            self._closing.append(board)

    def _put(self, name: str, text: str, start: int) -> None:
        path = self.folder / name
        if path.exists():
            if path.read_text(encoding="utf-8", errors="surrogateescape") == text:
                return
            os.replace(path, path.with_name(f"{path.stem}.{start}{path.suffix}"))
        with atomic_write(path) as file:
            file.write(text.encode("utf-8", "surrogateescape"))

    def close(self) -> None:
        """Close the files; a directory in which nothing was written goes."""
        for each in self._closing:
            each.close()
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def read_run(folder: Path) -> dict[str, Any]:
    """What run.json of a directory says. Raises NetdefError where it cannot be read, or a newer netdef wrote it."""
    path = folder / RUN
    try:
        read: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if read["version"] > VERSION:
            raise NetdefError(f"it is of version {read['version']}; this netdef reads up to {VERSION}", where=str(path))
        return {"starts": [], "snapshots": "", **read}
    except OSError as error:
        raise NetdefError(f"cannot read: {error.strerror or error}", where=str(path)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise NetdefError(f"expected what netdef writes about a run, got {error}", where=str(path)) from None


def snapshot_prefix(folder: Path) -> str:
    """The beginning of the paths of a run's snapshots, ``..._iter_N`` left out; empty where it has none."""
    told = read_run(folder)["snapshots"]
    return os.path.normpath(folder / told) if told else ""


def find_run(state: Path, home: Path) -> Path | None:
    """The directory of the run that wrote a .solverstate: its own folder, or the last one in ``home`` whose snapshots
    have such names."""
    if (state.parent / RUN).is_file():
        return state.parent
    prefix = os.path.abspath(state).rpartition("_iter_")[0]
    folders = [p for p in home.iterdir() if p.name.isdecimal() and (p / RUN).is_file()] if home.is_dir() else []
    for folder in sorted(folders, key=lambda p: int(p.name), reverse=True):
        if os.path.abspath(snapshot_prefix(folder)) == prefix:
            return folder
    return None
