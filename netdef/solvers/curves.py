"""Curves of runs: what `netdef plot` draws. A run is a directory, a metrics file, or a log as text."""
from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netdef.errors import NetdefError, did_you_mean
from netdef.solvers.logfile import read_log
from netdef.solvers.metrics import METRICS, Record, read_metrics

LOSS, RATE, GRADIENT = "loss", "lr", "gradient"
AXES = {"iteration": "iter", "seconds": "seconds"}


@dataclass(frozen=True)
class RunRecords:
    """The records of a run in the order of training; ``folder`` is where it lies, ``label`` what a figure calls it."""

    label: str
    folder: Path
    records: list[Record]


@dataclass
class Curve:
    """One line of a figure: ``points`` are (iteration, seconds, value); ``raw`` curves are drawn pale."""

    name: str
    points: list[tuple[int, float, float]] = field(default_factory=list)
    raw: bool = False

    def xy(self, axis: str) -> list[tuple[float, float]]:
        """The points over "iteration" or "seconds"."""
        return [(seconds if axis == "seconds" else iteration, value) for iteration, seconds, value in self.points]


def read_run_records(path: str | os.PathLike[str]) -> RunRecords:
    """A run's directory, its metrics.jsonl, or a log. Of iterations that were done twice, the later ones count, as after
    a resume. Raises NetdefError where there is nothing of the kind."""
    place = Path(path)
    if place.is_dir():
        file = place / METRICS
        if not file.is_file():
            raise NetdefError(f"a run's directory holds {METRICS}, this one does not", where=str(place), hint=_runs_in(place))
        return RunRecords(os.path.normpath(place), place, latest(read_metrics(file)))
    if not place.exists():
        raise NetdefError(f"no file or directory '{path}'", hint=did_you_mean(place.name, _names(place.parent)))
    if place.suffix == ".jsonl":
        label = os.path.normpath(place.parent if place.name == METRICS else place)
        return RunRecords(place.name if label == "." else label, place.parent, latest(read_metrics(place)))
    return RunRecords(os.path.normpath(place), place.parent, latest(read_log(place)))


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []


def _runs_in(folder: Path) -> str:
    found = sorted(str(p.parent) for depth in ("*", "*/*") for p in folder.glob(f"{depth}/{METRICS}"))
    return f"there are {', '.join(found[:5])}" if found else ""


def latest(records: Iterable[Record]) -> list[Record]:
    """Without the records that a resume made anew: where the iteration goes back, what stood after it goes."""
    kept: list[Record] = []
    for record in records:
        while kept and kept[-1]["iter"] > record["iter"]:
            kept.pop()
        at = len(kept)
        while at and kept[at - 1]["iter"] == record["iter"] and _key(kept[at - 1]) != _key(record):
            at -= 1
        if at and _key(kept[at - 1]) == _key(record):
            kept[at - 1] = kept[at - 1] | record
        else:
            kept.append(record)
    return kept


def _key(record: Record) -> tuple[str, int, int]:
    """Which of the records of a run it is."""
    return record["kind"], record["iter"], record.get("net", -1)


def quantities(runs: Sequence[RunRecords]) -> list[str]:
    """What can be drawn of runs: loss, every other output, lr and gradient, in this order."""
    names = dict.fromkeys(name for run in runs for r in run.records for name in r.get("outputs", {}))
    rate = [RATE] if any(RATE in r for run in runs for r in run.records) else []
    gradient = [GRADIENT] if any("grad_norm" in r for run in runs for r in run.records) else []
    return [LOSS, *(n for n in names if n not in (LOSS, RATE, GRADIENT)), *rate, *gradient]


def usual(runs: Sequence[RunRecords]) -> list[str]:
    """What is drawn when nothing is asked for: loss, the outputs of tests, lr."""
    tested = {name for run in runs for r in run.records if r["kind"] == "test" for name in r["outputs"]}
    return [name for name in quantities(runs) if name in (LOSS, RATE) or name in tested]


def check_quantities(names: Sequence[str], runs: Sequence[RunRecords]) -> None:
    """Raise NetdefError where a run has nothing of the name."""
    known = quantities(runs)
    for name in names:
        if name not in known:
            raise NetdefError(f"no '{name}' in these runs", hint=did_you_mean(name, known) or f"there are {', '.join(known)}")


def curves(run: RunRecords, quantity: str, smooth: float = 0.0) -> list[Curve]:
    """The curves of one quantity of one run.

    The train loss is drawn twice: raw, and as a running mean of which ``smooth`` stays from display to display (0: as the
    solver's average_loss gives it).
    """
    found: dict[str, Curve] = {}

    def add(name: str, record: Record, value: float | list[float] | None, raw: bool = False) -> None:
        values = value if isinstance(value, list) else [] if value is None else [value]
        for i, v in enumerate(values):
            own = name if len(values) == 1 else f"{name}[{i}]"
            curve = found.setdefault(own, Curve(own, raw=raw))
            curve.points.append((record["iter"], record.get("seconds", math.nan), v))

    for record in run.records:
        if quantity == LOSS and record["kind"] == "train":
            add("train loss (raw)", record, record.get("loss"), raw=True)
            add("train loss", record, record.get("smoothed_loss"))
        elif quantity in (RATE, GRADIENT):
            add(quantity, record, record.get("grad_norm" if quantity == GRADIENT else quantity))
            continue
        value = record.get("outputs", {}).get(quantity)
        if record["kind"] == "test":
            add(f"test {record['net']} {quantity}", record, value)
        elif quantity != LOSS:
            add(f"train {quantity}", record, value)
    _smooth(found, smooth)
    return list(found.values())


def _smooth(found: dict[str, Curve], kept: float) -> None:
    """Lay a running mean of the raw train loss in place of the solver's; nothing to see where the two are one."""
    raw, mean = found.get("train loss (raw)"), found.get("train loss")
    if raw is None or mean is None:
        return
    if kept and len(raw.points) > 1:
        total, weight, made = 0.0, 0.0, []
        for iteration, seconds, value in raw.points:
            if math.isfinite(value):
                total, weight = kept * total + (1 - kept) * value, kept * weight + 1 - kept
            made.append((iteration, seconds, total / weight if math.isfinite(value) else value))
        mean.points = made
    if [p[2] for p in mean.points] == [p[2] for p in raw.points]:
        del found["train loss (raw)"]


def to_csv(runs: Sequence[RunRecords], names: Sequence[str]) -> str:
    """All values as a table with the columns run, curve, iteration, seconds, value: one row a point, nothing smoothed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "curve", "iteration", "seconds", "value"])
    for run in runs:
        for name in names:
            for curve in curves(run, name):
                for iteration, seconds, value in curve.points:
                    writer.writerow([run.label, curve.name, iteration, "" if math.isnan(seconds) else seconds, value])
    return text.getvalue()
