"""What the benchmarks share: times taken in turns, whether the machine was quiet, and tables."""
from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Clock = Callable[[], float]


def take_turns(contenders: Mapping[str, Callable[[], object]], seconds: float, rest: float = 0.002) -> dict[str, list[float]]:
    """Seconds of each call, by name: all contenders run in turns until ``seconds`` are over, at least five times each.

    A turn is two calls, of which the second counts: the first one wakes threads and fills caches. Between turns the machine
    rests, so that one library's waiting threads do not take the processor from the next.
    """
    found: dict[str, list[float]] = {name: [] for name in contenders}
    end = time.perf_counter() + seconds
    turns = 0
    while turns < 5 or time.perf_counter() < end:
        for name, call in contenders.items():
            call()
            begin = time.perf_counter()
            call()
            found[name].append(time.perf_counter() - begin)
            time.sleep(rest)
        turns += 1
    return found


class Quiet:
    """Whether other processes used the machine since this was made (Linux; elsewhere nothing is known)."""

    def __init__(self) -> None:
        self.before = _jiffies()
        self.own = _own()
        self.began = time.perf_counter()

    def others(self) -> float | None:
        """Processors that others kept busy, on average."""
        now = _jiffies()
        if now is None or self.before is None:
            return None
        busy = (now - self.before) / os.sysconf("SC_CLK_TCK") - (_own() - self.own)
        return max(0.0, busy / max(time.perf_counter() - self.began, 1e-9))

    def __str__(self) -> str:
        load = f"load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
        others = self.others()
        if others is None:
            return f"{load}; what else ran is not known"
        state = "quiet" if others < 0.1 else "NOT QUIET: others used the processors"
        return f"{state} ({others:.2f} of {os.cpu_count()} processors busy with other processes; {load})"


def _own() -> float:
    """Seconds of processor time of this process and of the children that have ended."""
    return sum(os.times()[:4])


def _jiffies() -> int | None:
    """Time that all processors together have spent on anything but waiting, stolen time included."""
    try:
        fields = [int(v) for v in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return sum(fields) - fields[3] - fields[4]  # without idle and iowait


def table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Rows as a Markdown table, numbers to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [" | ".join(text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True)))
             for row in (head, *rows)]
    rule = "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths))
    return "\n".join(f"| {line} |" if k else f"| {line} |\n|{rule}|" for k, line in enumerate(lines))


def geometric_mean(values: Sequence[float]) -> float:
    """The n-th root of the product; NaN of nothing."""
    product = 1.0
    for v in values:
        product *= v
    return product ** (1 / len(values)) if values else float("nan")
