"""Who races, over which nets, and the race itself: fresh processes that take turns."""
from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench_nets import BATCHES
from bench_worker import TUNED, Died, Worker, available_bytes

HERE = Path(__file__).resolve().parent
WHAT = {"train": "training step: forward, backward, SGD update", "infer": "inference", "latency": "inference of one picture"}


class Contender(NamedTuple):
    """One row of LIBRARIES in bench_nets.py with an allocator setting; ``family`` is what stands together in the ratios."""

    label: str
    family: str
    library: str
    module: str
    tuned: bool
    trains: bool = True
    files: bool = False
    """runs a net from files of Caffe's, for --model"""


def _both(label: str, family: str, library: str, module: str, **more: bool) -> list[Contender]:
    """With the allocator as it is, and tuned."""
    return [Contender(label + " tuned" * tuned, family, library, module, tuned, **more) for tuned in (False, True)]


CONTENDERS = (
    *_both("netdef", "netdef", "netdef", "numba", files=True),
    *_both("torch", "torch", "torch", "torch"),
    *_both("torch channels_last", "torch", "torch-last", "torch"),
    *_both("torch.compile", "torch.compile", "torch-compile", "torch"),
    *_both("torch.compile channels_last", "torch.compile", "torch-compile-last", "torch"),
    *_both("OpenCV", "OpenCV", "opencv", "cv2", trains=False, files=True),
    *_both("pycaffe", "pycaffe", "pycaffe", "caffe", files=True),
)


class Target(NamedTuple):
    """A net of configs/, or one from files (prototxt, weights)."""

    name: str
    batch: int
    files: tuple[str, str] | None = None


class Outcome(NamedTuple):
    """The seconds of every run and what the worker said of itself; or why it does not work."""

    times: list[float]
    ready: dict[str, Any]
    why: str = ""
    shift: int = 1


class Options(NamedTuple):
    """How long, in how many turns, which figure of all times, and how long a worker may take to answer, in seconds."""

    seconds: float = 4.0
    rounds: int = 4
    median: bool = False
    patience: float = 900.0

    def pick(self, what: str) -> Callable[[Sequence[float]], float]:
        """The least time, or the median; of single pictures always the median, for that is what a caller waits."""
        return statistics.median if self.median or what == "latency" else min


def chosen(only: Sequence[str], files: bool = False) -> tuple[list[Contender], list[str]]:
    """The contenders that are installed, and a line about each library that is not. ``only``: labels, none for all."""
    wanted = [c for c in CONTENDERS if (not only or c.label in only) and (c.files or not files)]
    there = {module: importlib.util.find_spec(module) is not None for module in {c.module for c in wanted}}
    missing = list(dict.fromkeys(f"{c.family}: not installed (no module {c.module})" for c in wanted if not there[c.module]))
    return [c for c in wanted if there[c.module]], missing


def race(target: Target, what: str, threads: int, contenders: Sequence[Contender], options: Options) -> dict[str, Outcome]:
    """All contenders over one net, by label."""
    def start(contender: Contender) -> Callable[[], Worker]:
        env = {**(TUNED if contender.tuned else {}), "OMP_NUM_THREADS": str(threads)}
        return lambda: Worker(command_of(contender, target, what, threads), env, options.patience)

    found = in_turns({c.label: start(c) for c in contenders if c.trains or what != "train"}, options.seconds, options.rounds)
    pick = options.pick(what)
    print(f"{target.name}, {what}, {threads} thread{'s' * (threads > 1)}: " + ", ".join(
        f"{label} {pick(o.times) * 1e3:.4g} ms" if o.times else f"{label} does not work" for label, o in found.items()),
        file=sys.stderr, flush=True)
    return found


def command_of(contender: Contender, target: Target, what: str, threads: int) -> list[str]:
    """The command line of a worker."""
    batch = 1 if what == "latency" else BATCHES.get(target.name, target.batch)
    net = [target.files[0], "infer", "--weights", target.files[1]] if target.files else [
        target.name, "train" if what == "train" else "infer", "--batch", str(batch)]
    return [sys.executable, str(HERE / "bench_nets.py"), contender.library, *net, "--threads", str(threads)]


def in_turns(starts: Mapping[str, Callable[[], Worker]], seconds: float, rounds: int) -> dict[str, Outcome]:
    """Start all workers, let them take turns until each has had its seconds, stop them.

    Where memory does not hold all at once, they run in shifts; the number of the shift is in the outcome.
    """
    found: dict[str, Outcome] = {}
    waiting, shift = list(starts), 0
    while waiting:
        shift += 1
        workers: dict[str, Worker] = {}
        try:
            while waiting and (not workers or _room(workers.values())):
                label = waiting.pop(0)
                workers[label] = starts[label]()
                if workers[label].ready.get("compiled"):  # the compiler's memory is not the net's
                    workers[label].stop()
                    workers[label] = starts[label]()
            _rounds(workers.values(), seconds, rounds)
        finally:
            for worker in workers.values():
                worker.stop()
        found |= {label: Outcome([] if w.why else w.times, w.ready, w.why, shift) for label, w in workers.items()}
    return found


def _room(workers: Any) -> bool:
    """Whether one more like the largest of these fits into memory; yes where nothing is known."""
    most = max((w.ready.get("total_mb", 0.0) for w in workers), default=0.0) * 1e6
    return available_bytes() == 0 or available_bytes() > 1.3 * most


def _rounds(workers: Any, seconds: float, rounds: int) -> None:
    counts = {}
    for worker in workers:
        if not worker.why:
            counts[worker] = max(1, round(seconds / rounds / max(_run(worker, 1), 1e-6)))
            worker.times.clear()
    for _ in range(rounds):
        for worker, count in counts.items():
            if not worker.why:
                _run(worker, count)
                time.sleep(0.01)  # threads of this one go to sleep before the next begins


def _run(worker: Worker, count: int) -> float:
    """One turn; a worker that dies in it is marked, and the others go on."""
    try:
        return worker.run(count)
    except Died as died:
        worker.why = str(died)
        return 0.0
