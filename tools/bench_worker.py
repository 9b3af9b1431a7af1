"""A contender's process, seen from inside (``serve``) and from outside (``Worker``).

Inside: it prints ``ready {...}`` when it is warm, or ``failed`` and the reason in one line. Then each line ``N`` on its standard
input makes it run N times and print the seconds as a JSON list; an empty line or the end of input stops it.
"""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

TUNED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "17179869184",
         "MALLOC_TOP_PAD_": "268435456"}
"""glibc's allocator told to keep freed memory: large arrays are not mapped, and their pages zeroed, anew each time."""


class Ready(NamedTuple):
    """A contender that can run: one step of it, the bytes that were resident before it was built, the plan's peak in bytes."""

    step: Callable[[], object]
    imported: int
    plan: int = 0


def serve(make: Callable[[], Ready], once: bool = False, timed: Callable[[Ready, int], list[float]] | None = None) -> int:
    """Build a contender, run it as told, give the exit status. ``once``: end behind the first step."""
    begin = time.perf_counter()
    try:
        ready = make()
        ready.step()
        first = time.perf_counter() - begin
        for _ in range(0 if once else 2):
            ready.step()
    except Exception as error:
        print(f"failed {reason(error)}", flush=True)
        return 1
    jit = sys.modules.get("netdef.kernels.jit")
    peak = status_bytes("VmHWM")
    print("ready " + json.dumps({"first_s": first, "peak_mb": (peak - ready.imported) / 1e6, "total_mb": peak / 1e6,
                                 "plan_mb": ready.plan / 1e6, "compiled": jit.compile_count() if jit else 0}), flush=True)
    for line in () if once else sys.stdin:
        if not line.strip():
            break
        print(json.dumps((timed or times_of)(ready, int(line))), flush=True)
    return 0


def times_of(ready: Ready, count: int) -> list[float]:
    """Seconds of each of ``count`` steps."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        ready.step()
        times.append(time.perf_counter() - start)
    return times


def reason(error: BaseException) -> str:
    """An exception in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"[:200]


def resident_now() -> int:
    """The resident bytes of this process, from which on its peak counts anew (Linux; 0 elsewhere)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak of the imports is no part of the net's
    return status_bytes("VmRSS")


def status_bytes(field: str) -> int:
    """A size from /proc/self/status: VmRSS, resident now, or VmHWM, the most so far; 0 where there is no such file."""
    return _kilobytes("/proc/self/status", field)


def available_bytes() -> int:
    """Memory that can be taken without swapping; 0 where it is not known."""
    return _kilobytes("/proc/meminfo", "MemAvailable")


def _kilobytes(path: str, field: str) -> int:
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB", Path(path).read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


class Died(Exception):
    """The process has ended, or was ended; says why."""


class Worker:
    """A process that waits to be told how often to run. ``ready`` is what it said, ``why`` the reason if it does not work."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], patience: float) -> None:
        self.times: list[float] = []
        self.ready: dict[str, Any] = {}
        self.why = ""
        self._patience = patience
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the worker
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
                                         env={**os.environ, **env})
        try:
            self.ready = json.loads(self._line("ready "))
        except Died as died:
            self.why = str(died)
        except BaseException:  # Ctrl-C while it compiles
            self._process.kill()
            self.stop()
            raise

    def run(self, count: int) -> float:
        """Run ``count`` times; the mean seconds of one run. Raises Died."""
        assert self._process.stdin
        with suppress(OSError):  # it is gone; the line that does not come says why
            self._process.stdin.write(f"{count}\n")
            self._process.stdin.flush()
        times = json.loads("[" + self._line("["))
        self.times += times
        return sum(times) / len(times)

    def stop(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(OSError):  # what was left to write has no reader
                    pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _line(self, start: str) -> str:
        """The rest of the next line that begins with ``start``; what libraries print in between is passed over."""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(self._patience, give_up)
        timer.start()
        try:
            for line in self._process.stdout or ():
                if line.startswith("failed "):
                    raise Died(line[7:].strip())
                if line.startswith(start):
                    return line[len(start):]
        finally:
            timer.cancel()
        raise Died(f"no answer within {self._patience:g} s" if late.is_set() else self._last_words())

    def _last_words(self) -> str:
        """Why the process ended by itself."""
        status = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return (f"ended by signal {-status}" + " (out of memory?)" * (status == -9) if status < 0 else
                lines[-1][:200] if lines else f"ended with status {status}")
