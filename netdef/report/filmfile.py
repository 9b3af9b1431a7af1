"""The film of a run on the disk: what was seen of each layer while it trained, one JSON object a line.

``film.jsonl`` in the run's directory is only ever appended to. ``{"head": ...}`` is the value of ``collect.page_data``
without frames, with ``iteration`` and ``written``: where and when this start of the run began. A resume writes another head,
and what the file has from that iteration on no longer counts. ``{"frame": ...}`` is a frame of ``meter.py``,
``{"findings": [...]}`` takes the place of the findings before it.
"""
from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

from netdef.errors import NetdefError, warn
from netdef.report.numbers import Plain
from netdef.report.tail import Tail

FILM = "film.jsonl"
MOST_KEPT = 32  # frames of a reel; then every other one goes


class FilmFile:
    """Appends to a run's film. Raises NetdefError where that cannot be; if it happens later (a full disk) it warns once,
    and training goes on."""

    def __init__(self, folder: Path, head: Plain, iteration: int) -> None:
        self.path = folder / FILM
        try:
            self._file = open(self.path, "ab+", buffering=0)  # noqa: SIM115  (until close)
            self._end = self._whole()
        except OSError as error:
            raise NetdefError(f"cannot write: {error.strerror or error}", where=str(self.path)) from error
        self._broken = False
        self._findings: list[Plain] = []
        self.write({"head": head | {"iteration": iteration, "written": time.time()}})

    def _whole(self) -> int:
        """Cut off a last line that a kill left half; the size of the file then."""
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end < len(data):
            self._file.truncate(end)
        return end

    def add(self, frame: Plain, findings: list[Plain]) -> None:
        """One frame more, and what the checks say by now."""
        self.write({"frame": frame})
        self.find(findings)

    def find(self, findings: list[Plain]) -> None:
        """What the checks say by now."""
        if findings != self._findings:
            self._findings = findings
            self.write({"findings": findings})

    def write(self, value: Plain) -> None:
        """Append one line, whole or not at all."""
        if self._broken:
            return
        line = (json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n").encode()
        try:
            rest = line
            while rest:  # a full disk may take a part
                rest = rest[self._file.write(rest):]
            self._end += len(line)
        except OSError as error:
            self._broken = True
            warn(f"the film ends here: {error.strerror or error}; training goes on without it", str(self.path))
            with contextlib.suppress(OSError):
                self._file.truncate(self._end)

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()


class Reel:
    """The film of a run's directory as it grows: ``update()``, then ``head``, ``frames`` and ``findings``.

    ``frames`` are pairs of iteration and JSON text. Of more than ``MOST_KEPT`` every other one goes, the first and the last
    stay; so whoever has what was kept before needs only what is newer. ``generation`` changes where that does not hold.
    """

    def __init__(self, folder: Path) -> None:
        self.tail = Tail(folder / FILM)
        self.generation = 0
        self._clear()

    def _clear(self) -> None:
        self.head: Plain | None = None
        self.frames: list[tuple[int, str]] = []
        self.findings: list[Plain] = []
        self.last_loss: Any = None
        self.generation += 1

    def update(self) -> None:
        """Take in what was appended."""
        before = self.tail.began
        if self.tail.look() != before:
            self._clear()
        for value, text in self.tail.read():
            if isinstance(frame := value.get("frame"), dict) and isinstance(frame.get("iteration"), int):
                self.frames.append((frame["iteration"], text.strip()[len('{"frame":'):-1]))
                self.last_loss = frame.get("loss")
            elif isinstance(head := value.get("head"), dict) and isinstance(head.get("layers"), list) \
                    and isinstance(head.get("graph"), dict):
                self._begin(head)
            elif isinstance(value.get("findings"), list):
                self.findings = value["findings"]
        while len(self.frames) > MOST_KEPT:
            self.frames = self.frames[:-1:2] + self.frames[-1:]

    def _begin(self, head: Plain) -> None:
        """A start of the run: what it does anew does not count, nor what another net did."""
        first = head.get("iteration", 0)
        same = self.head is not None and self.head["layers"] == head["layers"]
        kept = [f for f in self.frames if same and f[0] < first]
        if self.head is not None:
            self.generation += 1
        self.head, self.frames, self.findings = head, kept, []
