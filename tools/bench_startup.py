"""From nothing to a first result: processor time and time of whole processes, with empty and with filled caches."""
from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench_nets import BATCHES
from bench_report import Report
from bench_timing import Quiet

HERE = Path(__file__).resolve().parent
NETS = ("lenet", "resnet50")
CACHES = ("NETDEF_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
"""Where netdef and torch.compile keep what they compiled."""


class Failed(Exception):
    """A process that does not work; says why."""


def run(nets: Sequence[str], rounds: int, threads: int, report: Report) -> None:
    """Print one table; warm starts are medians of ``rounds``, a cold start is one process with empty caches."""
    quiet, torch = Quiet(), importlib.util.find_spec("torch") is not None
    rows: list[list[str]] = []
    measured = report.raw.setdefault("startup", {})

    def row(label: str, command: Sequence[str], env: Mapping[str, str], times: int) -> None:
        try:
            found = [once([sys.executable, *command], env) for _ in range(times)]
        except Failed as failed:
            rows.append([label, "does not work", "-", str(times)])
            report.text(f"{label}: does not work: {failed}")
            return
        measured[label] = found
        rows.append([label, *(f"{statistics.median(column):.2f}" for column in zip(*found, strict=True)), str(times)])
        print(f"{label}: {rows[-1][1]} s of CPU, {rows[-1][2]} s", file=sys.stderr, flush=True)
        report.save()

    report.title("start-up, whole processes")
    row("netdef --help", ["-m", "netdef.cli.main", "--help"], {}, rounds)
    row("import netdef", ["-c", "import netdef"], {}, rounds)
    libraries = {"netdef": "netdef"}
    if torch:
        row("import torch", ["-c", "import torch"], {}, rounds)
        libraries |= {"torch": "torch", "torch.compile": "torch-compile"}
    else:
        report.text("torch: not installed (no module torch)")
    for net in nets:
        for label, library in libraries.items():
            with tempfile.TemporaryDirectory() as cache:
                command = [str(HERE / "bench_nets.py"), library, net, "train", "--batch", str(BATCHES[net]), "--threads",
                           str(threads), "--once"]
                env = {name: cache for name in CACHES}
                if library != "torch":  # eager torch keeps nothing
                    row(f"{label}, {net}: until its first training step is done, cold", command, env, 1)
                row(f"{label}, {net}: until its first training step is done, warm", command, env, rounds)
    report.table(rows, ["start", "CPU s", "s", "runs"])
    report.quiet(quiet)


def once(command: Sequence[str], env: Mapping[str, str]) -> tuple[float, float]:
    """(CPU seconds, seconds) of a process and of its children. Raises Failed."""
    before, begin = os.times(), time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          cwd=HERE.parent)
    after, wall = os.times(), time.perf_counter() - begin
    if done.returncode:
        lines = done.stdout.strip().splitlines() + done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"]
        raise Failed(next((line[7:] for line in lines if line.startswith("failed ")), lines[-1]))
    return after.children_user + after.children_system - before.children_user - before.children_system, wall
