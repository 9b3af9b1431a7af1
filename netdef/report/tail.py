"""Tail: the lines of a file that another thread or process is still appending to, each read once."""
from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Line = tuple[dict[str, Any], str]


class Tail:
    """Follows a file of one JSON object a line, from its beginning.

    A last line without its end waits for the rest. A line that is no JSON object is counted in ``broken`` and left out.
    ``began`` counts how often the file had to be read anew, since it became shorter or another one took its place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken = 0
        self.began = 0
        self._offset = 0
        self._rest = b""
        self._file: tuple[int, int] | None = None

    def stamp(self) -> tuple[int, ...]:
        """What changes when the file does; empty where there is none."""
        with contextlib.suppress(OSError):
            s = self.path.stat()
            return s.st_ino, s.st_size, s.st_mtime_ns
        return ()

    def read(self) -> Iterator[Line]:
        """The whole lines that came since the last call, as objects and as text. Whoever keeps what came before asks
        ``began`` first, by ``look``."""
        try:
            with open(self.path, "rb") as file:
                self._check(file.fileno())
                file.seek(self._offset)
                new = file.read()
        except OSError:
            return
        self._offset += len(new)
        *whole, self._rest = (self._rest + new).split(b"\n")
        for line in whole:
            try:
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise ValueError("no object")
                yield value, line.decode()
            except (ValueError, RecursionError):
                self.broken += bool(line.strip())

    def look(self) -> int:
        """Begin anew where that is needed; how often that was so."""
        try:
            with open(self.path, "rb") as file:
                self._check(file.fileno())
        except OSError:
            if self._file is not None:
                self._anew(None)
        return self.began

    def _check(self, descriptor: int) -> None:
        s = os.fstat(descriptor)
        now = (s.st_dev, s.st_ino)
        if self._file is not None and (now != self._file or s.st_size < self._offset):
            self._anew(now)
        self._file = now

    def _anew(self, file: tuple[int, int] | None) -> None:
        self._file, self._offset, self._rest, self.broken = file, 0, b"", 0
        self.began += 1
