"""Live: one run's directory as the page shows it, read anew as the run goes on. Files only: the run knows nothing of it.

What ``RunView.data`` gives as JSON::

    {"key": "3:..", "status": status, "head": collect.page_data's value without frames, or null, "keep": [iteration],
     "frames": [frame], "curves": [curve], "findings": [finding], "config": {file: text} or null}

A page that has the head ``key`` and all frames up to ``since`` gets ``head`` and ``config`` as null, the frames after
``since``, and in ``keep`` the iterations of all that count; with another key it gets everything. ``status`` is::

    {"state": "training" | "finished" | "stopped" | "waiting", "iteration", "end": max_iter or null, "title", "name",
     "started", "loss", "outputs": {name: number of the newest test}, "notes": [words]}

A run is "training" while its process holds its metrics (``solvers/alive.py``). Then it is "finished" if it came to max_iter.
"""
from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from netdef.config.load import parse_text_message
from netdef.errors import NetdefError
from netdef.report.collect import plain_curve
from netdef.report.filmfile import Reel
from netdef.report.numbers import Plain, number
from netdef.report.rundata import SOLVER
from netdef.report.still import iteration_of, newest_weights, still_of
from netdef.report.tail import Tail
from netdef.solvers.alive import alive
from netdef.solvers.curves import RunRecords, curves, latest, usual
from netdef.solvers.metrics import METRICS, Record, loose
from netdef.solvers.rundir import RUN, read_run

LONGEST = 200_000  # characters of a config that the page shows


class RunView:
    """A run's directory; ``update()`` reads what is new, and costs a few calls of ``stat`` where nothing is."""

    def __init__(self, folder: Path, label: str = "") -> None:
        self.folder, self.label = folder, label or str(folder)
        self.reel = Reel(folder)
        self.metrics = Tail(folder / METRICS)
        self.records: list[Record] = []
        self.alive = False
        self.version = 0
        self._seen: Any = None
        self._config: dict[str, str] = {}
        self._about: Plain = {}
        self._still: tuple[Any, tuple[Plain, list[Plain], str]] | None = None
        self._starts: list[tuple[float, int]] = []
        self._stills = 0
        self._curves: list[Plain] | None = None

    # reading ------------------------------------------------------------------------------------------------------

    def update(self) -> int:
        """Read what is new; a number that grows when something was."""
        configs = (Tail(self.folder / RUN).stamp(), Tail(self.folder / SOLVER).stamp())
        self.alive = alive(self.metrics.path)
        seen = (self.alive, self.metrics.stamp(), self.reel.tail.stamp(), configs)
        if seen == self._seen:
            return self.version
        if self._seen is None or configs != self._seen[3]:
            self._read_config()
        self._seen = seen
        self.reel.update()
        before = self.metrics.began
        if self.metrics.look() != before:
            self.records = []
        new = [loose(value) for value, _ in self.metrics.read()]
        whole = [r for r in new if _is_record(r)]
        self.metrics.broken += len(new) - len(whole)
        if new := whole:
            self.records = latest([*self.records, *new])
        self._curves = None
        self.version += 1
        return self.version

    def _read_config(self) -> None:
        self._still, self._starts = None, []
        self._about = {"title": self.folder.name, "started": "", "end": None, "notes": []}
        try:
            run = read_run(self.folder)
            starts = run["starts"]
            self._starts = [(datetime.fromisoformat(s["started"]).timestamp(), int(s["iteration"])) for s in starts]
            self._about |= {"title": run.get("net") or self.folder.name, "started": starts[-1]["started"] if starts else ""}
        except (NetdefError, KeyError, TypeError, ValueError) as error:
            if (self.folder / RUN).exists():
                words = error.message if isinstance(error, NetdefError) else str(error)
                self._about["notes"].append(f"{RUN} cannot be read: {words}")
        self._config = {}
        for path in sorted(self.folder.glob("*.prototxt"), key=lambda p: (p.name != SOLVER, p.name)):
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            self._config[path.name] = text if len(text) <= LONGEST else text[:LONGEST] + "\n(cut off here)"
            if path.name == SOLVER:
                self._about["end"] = _max_iter(text, path)

    def _shown(self) -> tuple[str, Plain, list[tuple[int, str]], str]:
        """Key, head, frames and a note: of the film, or else of the newest snapshot."""
        if self.reel.head is not None:
            before = self._filmed_until()
            return f"film:{self.reel.generation}:{before}", self.reel.head, self._frames(), ""
        try:
            weights = newest_weights(self.folder)
        except (NetdefError, OSError):
            weights = None
        what = None if weights is None else (str(weights), weights.stat().st_mtime_ns)
        if self._still is None or self._still[0] != what:
            self._still = (what, still_of(self.folder))
            self._stills += 1
        head, frames, note = self._still[1]
        return f"still:{self._stills}", head, [(f["iteration"], json.dumps(f, allow_nan=False)) for f in frames], note

    def _filmed_until(self) -> int | None:
        """Where a later start of the run, which was not filmed, did anew what the film has."""
        written = (self.reel.head or {}).get("written", 0.0)
        return min((iteration for at, iteration in self._starts if at > written), default=None)

    def _frames(self) -> list[tuple[int, str]]:
        before = self._filmed_until()
        return [f for f in self.reel.frames if before is None or f[0] < before]

    # telling ------------------------------------------------------------------------------------------------------

    def status(self) -> Plain:
        """The state of the run, by what was read last."""
        iteration = max([0, *(r["iter"] for r in self.records[-3:]), *(f[0] + 1 for f in self._frames()[-1:])])
        end = self._about.get("end")
        if not self.alive and (end is None or iteration < end):
            iteration = max(iteration, self._saved())
        state = "training" if self.alive else "waiting" if not self.metrics.stamp() and not self.reel.frames else \
            "finished" if end is not None and iteration >= end else "stopped"
        train = next((r for r in reversed(self.records) if r["kind"] == "train" and isinstance(r.get("loss"), float | int)), None)
        filmed = self._frames()
        newer = bool(filmed) and (train is None or filmed[-1][0] > train["iter"])
        loss = self.reel.last_loss if newer or train is None else number(train["loss"])
        test = next((r for r in reversed(self.records) if r["kind"] == "test"), {})
        outputs = {name: number(v) for name, v in test.get("outputs", {}).items() if isinstance(v, float | int)}
        notes = list(self._about.get("notes", []))
        if broken := self.metrics.broken:
            notes.append(f"{broken} line{'s' if broken > 1 else ''} of {METRICS} cannot be read")
        return {**self._about, "notes": notes, "state": state, "iteration": iteration, "name": self.label,
                "loss": loss, "outputs": outputs}

    def _saved(self) -> int:
        try:
            weights = newest_weights(self.folder)
        except (NetdefError, OSError):
            return 0
        return 0 if weights is None else iteration_of(weights)

    def curves(self) -> list[Plain]:
        """The curves of the metrics; none before the first records."""
        if self._curves is None:
            run = RunRecords(self.label, self.folder, self.records)
            self._curves = [plain_curve(c.name, q, c.xy("iteration"), c.raw) for q in usual([run]) for c in curves(run, q)]
        return self._curves

    def data(self, key: str = "", since: int = -1) -> str:
        """The JSON for a page that has the head ``key`` and the frames up to iteration ``since``."""
        now, head, frames, note = self._shown()
        same = now == key
        status = self.status()
        if note:
            status["notes"].append(note)
        head = {name: value for name, value in head.items() if name not in ("iteration", "written")} | {"title": status["title"]}
        rest: Plain = {"key": now, "status": status, "head": None if same else head, "keep": [i for i, _ in frames],
                       "curves": self.curves(), "findings": self.reel.findings, "config": None if same else self._config}
        new = ",".join(text for i, text in frames if not same or i > since)
        return json.dumps(rest, allow_nan=False, separators=(",", ":"))[:-1] + f',"frames":[{new}]}}'


def _is_record(value: Record) -> bool:
    """Whether it has what a record of its kind must have."""
    outputs = value.get("outputs", {})
    test = value.get("kind") == "test" and isinstance(value.get("net"), int) and "outputs" in value
    return (test or value.get("kind") == "train") and isinstance(value.get("iter"), int) and isinstance(outputs, dict)


def _max_iter(text: str, path: Path) -> int | None:
    try:
        message: Any = parse_text_message(text, str(path), "SolverParameter").message
    except NetdefError:
        return None
    return int(message.max_iter) if message.HasField("max_iter") else None
