"""Ctrl-C during training: the first one only sets a flag, which the solver reads after each batch."""
from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOP, SNAPSHOT, NONE = "stop", "snapshot", "none"
EFFECTS = (STOP, SNAPSHOT, NONE)
INTERRUPTED = 130  # what a shell reports for a program ended by SIGINT (128 + 2)


class Signals:
    """What the user asked for by a signal, and the handlers that note it.

    ``sigint`` and ``sighup`` are effects as in Caffe: "stop" (finish the batch, take the last snapshot, end),
    "snapshot" (and go on) or "none". A second SIGINT that would stop again ends the program at once with status 130
    by SystemExit, a third one without any clean-up. Snapshots appear on the disk whole or not at all, so the last one
    is whole whenever this happens.
    """

    def __init__(self, sigint: str = STOP, sighup: str = SNAPSHOT) -> None:
        for effect in (sigint, sighup):
            if effect not in EFFECTS:
                raise ValueError(f"expected one of {', '.join(EFFECTS)}, got '{effect}'")
        self._effects: dict[int, str] = {signal.SIGINT: sigint}
        if hasattr(signal, "SIGHUP"):  # not on Windows
            self._effects[signal.SIGHUP] = sighup
        self._requests: list[str] = []
        self._stops = 0

    def request(self, effect: str) -> None:
        """Ask for an effect as a signal would; may be called from any thread."""
        if effect != NONE:
            self._requests.append(effect)

    def take(self) -> str:
        """The oldest request that nobody has taken yet, or "none"."""
        return self._requests.pop(0) if self._requests else NONE

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Hear the signals during the block, and give their former handlers back after it.

        Off the main thread, where Python allows no handlers, the block just runs.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._stops = 0
        self._requests.clear()
        former: dict[int, Any] = {}
        try:
            for number, effect in self._effects.items():
                if effect != NONE:
                    former[number] = signal.getsignal(number)
                    signal.signal(number, self._handle)
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        effect = self._effects[number]
        if number == signal.SIGINT and effect == STOP:
            self._stops += 1
            if self._stops == 2:
                raise SystemExit(INTERRUPTED)
            if self._stops > 2:
                os._exit(INTERRUPTED)
        self.request(effect)
