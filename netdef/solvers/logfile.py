"""Training logs as text, Caffe's or netdef's, read into the records that ``metrics.py`` writes.

The lines are those that every reader of Caffe's logs knows; glog's prefix may stand before them. Seconds are counted from
the first line with a time where glog wrote one, else they are the sum of what the displays say they took.
"""
from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from netdef.errors import NetdefError
from netdef.solvers.metrics import Record

_NUMBER = r"([-+]?(?:nan|inf(?:inity)?|[\d.]+(?:e[-+]?\d+)?))"
_GLOG = re.compile(r"[IWEF](?P<year>\d{4})?(?P<month>\d\d)(?P<day>\d\d) (?P<time>\d\d:\d\d:\d\d(?:\.\d+)?)\s+\d+ \S+?\] ?")
_LOSS = re.compile(rf"Iteration (\d+)(?: \({_NUMBER} iter/s, {_NUMBER}s/(\d+) iters\))?, loss = {_NUMBER}", re.IGNORECASE)
_RATE = re.compile(rf"Iteration (\d+), lr = {_NUMBER}", re.IGNORECASE)
_TESTING = re.compile(r"Iteration (\d+), Testing net \(#(\d+)\)")
_OUTPUT = re.compile(rf"(Train|Test) net output #\d+: (.+?) = {_NUMBER}(?: \(\* \S+ = {_NUMBER} loss\))?", re.IGNORECASE)
_TEST_LOSS = re.compile(rf"Test loss: {_NUMBER}", re.IGNORECASE)


def is_log(path: str | os.PathLike[str]) -> bool:
    """Whether a file has a line of training near its beginning."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(1 << 20)
    except OSError:
        return False
    return any(pattern.search(text) for pattern in (_LOSS, _RATE, _TESTING))


def read_log(path: str | os.PathLike[str]) -> list[Record]:
    """The records of a log, in its order. Raises NetdefError where it cannot be read or has no line of training."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise NetdefError(f"cannot read: {error.strerror or error}", where=str(path)) from error
    reader = _Reader()
    for line in text.splitlines():
        reader.take(line)
    if not reader.records:
        raise NetdefError("expected a run's directory, its metrics.jsonl or a training log; there is no line like "
                          "'Iteration 100, loss = 0.5'", where=str(path))
    return reader.records


class _Reader:
    """Takes line by line; lines of outputs belong to the display or test before them."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._train: Record | None = None
        self._test: Record | None = None
        self._seconds = 0.0
        self._clock: datetime | None = None
        self._begin: datetime | None = None

    def take(self, line: str) -> None:
        """Note what a line says."""
        if found := _GLOG.match(line):
            self._tick(found)
            line = line[found.end():]
        if found := _LOSS.search(line):
            self._display(found)
        elif (found := _RATE.search(line)) and self._train is not None and self._train["iter"] == int(found[1]):
            self._train["lr"] = float(found[2])
        elif found := _TESTING.search(line):
            self._test = {"kind": "test", "net": int(found[2]), "iter": int(found[1]), "outputs": {}}
        elif (found := _TEST_LOSS.search(line)) and self._test is not None:
            self._begin_test()["loss"] = float(found[1])
        elif found := _OUTPUT.search(line):
            self._output(found)

    def _tick(self, found: re.Match[str]) -> None:
        """The time of a line; glog writes no year in older versions, so that a new year shows as a jump back."""
        now = datetime.fromisoformat(f"{found['year'] or 2000}-{found['month']}-{found['day']} {found['time']}")
        if self._begin is None:
            self._begin = now
        elif self._clock is not None and now < self._clock - timedelta(days=1):
            self._begin -= timedelta(days=366)
        self._clock = now
        self._seconds = (now - self._begin).total_seconds()

    def _display(self, found: re.Match[str]) -> None:
        if self._clock is None and found[3] is not None:
            self._seconds += float(found[3])
        self._train = {"kind": "train", "iter": int(found[1]), "smoothed_loss": float(found[5]), "outputs": {},
                       "seconds": round(self._seconds, 6)}
        self.records.append(self._train)

    def _begin_test(self) -> Record:
        """The record of the test at hand, listed when its first output comes: an interrupted test has none."""
        assert self._test is not None
        if not self.records or self.records[-1] is not self._test:
            self.records.append(self._test | {"seconds": round(self._seconds, 6)})
            self._test = self.records[-1]
        return self._test

    def _output(self, found: re.Match[str]) -> None:
        name, value = found[2], float(found[3])
        record: Any = self._train if found[1].lower() == "train" else self._begin_test() if self._test is not None else None
        if record is None:
            return
        _add(record["outputs"], name, value)
        if record["kind"] == "train" and found[4] is not None:  # the loss of this iteration is the sum of its losses
            record["loss"] = record.get("loss", 0.0) + float(found[4])


def _add(outputs: Record, name: str, value: float) -> None:
    """Several numbers of one name become a list."""
    if name not in outputs:
        outputs[name] = value
    elif isinstance(outputs[name], list):
        outputs[name].append(value)
    else:
        outputs[name] = [outputs[name], value]
