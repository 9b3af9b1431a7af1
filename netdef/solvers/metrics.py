"""The metrics of a run as JSON lines: one record for each display and each test, written as they happen.

A record of the train net, ``{"kind": "train", "iter": N, "lr", "loss", "smoothed_loss", "outputs", "grad_norm",
"grad_norms", "seconds"}``: ``loss`` is that of this iteration, ``smoothed_loss`` the mean over average_loss, ``grad_norm``
the L2 norm of the gradient over all params and ``grad_norms`` over each layer's (see ``gradient_norms``), ``seconds`` the
time since training began, pauses between resumes left out. The last one of a training, after its last update, has only
the losses. A record of a test net: ``{"kind": "test", "net", "iter", "outputs", "seconds"}``, with ``loss`` where
test_compute_loss asks for it. An output with several numbers is a list.

JSON has no NaN and no infinity. They are written as the strings "NaN", "Infinity" and "-Infinity", as protobuf does, so
that every strict reader takes the file; ``read_metrics`` turns them back. Each line is handed to the system at once: a
kill loses at most the line that was being written, which readers skip.
"""
from __future__ import annotations

import contextlib
import json
import math
import os
import time
from pathlib import Path
from typing import Any

from netdef.errors import NetdefError, warn
from netdef.solvers import events as e
from netdef.solvers.alive import hold
from netdef.solvers.debuginfo import gradient_norms
from netdef.solvers.solver import Solver
from netdef.weights import atomic_write

METRICS = "metrics.jsonl"
CUT = "metrics.cut.jsonl"
Record = dict[str, Any]
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Metrics:
    """A listener that writes the records of a solver into ``folder/metrics.jsonl``.

    What the file has from the solver's present iteration on, which will be done again, goes to ``metrics.cut.jsonl``
    first. Raises NetdefError where the file cannot be written. If that happens later (a full disk), it warns once, and
    training goes on; records that fail are missing, those after them are whole. ``record(r)`` functions in
    ``followers`` get each record too.
    """

    def __init__(self, solver: Solver, folder: Path) -> None:
        self.solver = solver
        self.path = folder / METRICS
        self.followers: list[Any] = []
        try:
            before = _cut(self.path, solver.iter)
            self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115  (until close)
            hold(self._file)
        except OSError as error:
            raise NetdefError(f"cannot write: {error.strerror or error}", where=str(self.path)) from error
        self._end = self._file.tell()
        self._begin = time.perf_counter() - before
        self._open: Record | None = None
        self.lost = 0

    def __call__(self, event: e.Event) -> None:
        """Note what an event tells."""
        if isinstance(event, e.Displayed):
            total, layers = gradient_norms(self.solver.net, self.solver.param.iter_size)
            self._open = {"kind": "train", "iter": event.iter, "lr": event.lr, "loss": None, "smoothed_loss": event.loss,
                          "outputs": plain(event.outputs), "grad_norm": total, "grad_norms": layers}
        elif isinstance(event, e.GradientsReady) and self._open is not None:
            self._write(self._open | {"loss": event.loss})
            self._open = None
        elif isinstance(event, e.Tested):
            loss = {} if event.loss is None else {"loss": event.loss}
            self._write({"kind": "test", "net": event.net, "iter": event.iter, "outputs": plain(event.outputs)} | loss)
        elif isinstance(event, e.FinalLoss):
            self._write({"kind": "train", "iter": event.iter, "loss": float(self.solver.net.loss),
                         "smoothed_loss": event.loss})

    def _write(self, record: Record) -> None:
        record["seconds"] = round(time.perf_counter() - self._begin, 3)
        for follow in self.followers:
            follow(record)
        line = encode(record)
        try:
            while line:  # a full disk may take a part
                line = line[self._file.write(line):]
            self._end = self._file.tell()
        except OSError as error:
            self.lost += 1
            if self.lost == 1:
                warn(f"cannot write metrics: {error.strerror or error}; training goes on without them", str(self.path))
            with contextlib.suppress(OSError):
                self._file.truncate(self._end)  # the next record must not stand behind a half one

    def close(self) -> None:
        """Close the file; a warning says how many records are missing, if any are."""
        self._file.close()
        if self.lost:
            warn(f"{self.lost} record{'s are' if self.lost > 1 else ' is'} missing", str(self.path))


def plain(outputs: list[e.Output]) -> Record:
    """Outputs by name; a list of numbers where one name has several."""
    found: dict[str, list[float]] = {}
    for output in outputs:
        found.setdefault(output.name, []).append(output.value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def encode(record: Record) -> bytes:
    """A record as one line of strict JSON."""
    return (json.dumps(_strict(record), allow_nan=False) + "\n").encode()


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_strict(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def loose(value: Any) -> Any:
    """A value of strict JSON with the numbers that it holds as words."""
    if isinstance(value, dict):
        return {key: inner if key == "kind" else loose(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [loose(inner) for inner in value]
    return _SPECIAL.get(value, value) if isinstance(value, str) else value


def read_metrics(path: str | os.PathLike[str]) -> list[Record]:
    """The records of a metrics file; a last line that was cut off is left out. Raises NetdefError with the line of what
    is no record."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise NetdefError(f"cannot read: {error.strerror or error}", where=str(path)) from error
    return [record for record, _ in _records(data, str(path))]


def _records(data: bytes, where: str) -> list[tuple[Record, bytes]]:
    """Each record with its line."""
    found = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        try:
            record = loose(json.loads(line)) if line.strip() else None
            if record is None:
                continue
            if not (isinstance(record, dict) and record.get("kind") in ("train", "test")
                    and isinstance(record.get("iter"), int)):
                raise ValueError("it has no kind and iter")
        except ValueError as error:
            if number == len(lines):  # no line break behind it: a kill came while it was written
                break
            raise NetdefError(f"expected a record of metrics in JSON: {error}", where=f"{where}:{number}") from None
        found.append((record, line))
    return found


def _cut(path: Path, iteration: int) -> float:
    """Keep what came before an iteration, put the rest aside; the seconds at the last record kept."""
    if not path.exists():
        return 0.0
    data = path.read_bytes()
    found = _records(data, str(path))
    kept = [(record, line) for record, line in found if record["iter"] < iteration]
    whole = b"".join(line + b"\n" for _, line in kept)
    if whole != data:
        with open(path.with_name(CUT), "ab") as aside:
            aside.write(b"".join(line + b"\n" for record, line in found if record["iter"] >= iteration))
        with atomic_write(path) as file:
            file.write(whole)
    return max((float(record.get("seconds", 0.0)) for record, _ in kept), default=0.0)
