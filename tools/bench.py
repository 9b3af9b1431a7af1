"""Race netdef against the libraries installed beside it: whole nets of configs/, layers, kernels, start-up times.

Each contender runs in a fresh process of its own; they take turns in one run, so that a busy minute of the machine hits all
alike. Figures are the least of all runs unless --median is given; ratios above 1 mean that netdef is faster. "Tuned" has
glibc's allocator keep freed memory (see TUNED in bench_nets.py). Contenders that are not installed are left out.

  python tools/bench.py                          all nets: training steps, inference, latency of one picture; 1 and 2 threads
  python tools/bench.py --nets lenet,resnet50 --what train --threads 2
  python tools/bench.py --layers resnet50        layer by layer against PyTorch's operators
  python tools/bench.py --kernels                the memory-bound kernels against NumPy and PyTorch
  python tools/bench.py --startup                cold and warm start
"""
from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from bench_nets import BATCHES, TUNED  # noqa: E402
from bench_timing import Quiet, geometric_mean, table  # noqa: E402


class Contender(NamedTuple):
    """One row of LIBRARIES in bench_nets.py with an allocator setting."""

    label: str
    library: str
    module: str
    tuned: bool = False
    trains: bool = True


CONTENDERS = (
    Contender("netdef", "netdef", "numba"),
    Contender("netdef tuned", "netdef", "numba", tuned=True),
    Contender("torch", "torch", "torch"),
    Contender("torch tuned", "torch", "torch", tuned=True),
    Contender("torch channels_last", "torch-last", "torch"),
    Contender("torch channels_last tuned", "torch-last", "torch", tuned=True),
    Contender("torch.compile tuned", "torch-compile", "torch", tuned=True),
    Contender("OpenCV", "opencv", "cv2", trains=False),
    Contender("OpenCV tuned", "opencv", "cv2", tuned=True, trains=False),
    Contender("pycaffe", "pycaffe", "caffe"),
)
WHAT = {"train": "training step: forward, backward, SGD update", "infer": "inference", "latency": "inference of one picture"}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables that were asked for."""
    args = _arguments(argv)
    if args.kernels:
        import bench_kernels
        bench_kernels.run("", args.threads[-1], args.seconds / 4)
    elif args.layers:
        import bench_layers
        bench_layers.run(args.layers, args.threads[-1], args.seconds / 4)
    elif args.startup:
        startup()
    else:
        for what in args.what:
            for threads in args.threads:
                race(args.nets, what, threads, args)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=names, default=list(BATCHES), metavar="A,B", help=f"of {', '.join(BATCHES)}")
    parser.add_argument("--what", type=names, default=list(WHAT), metavar="A,B", help=f"of {', '.join(WHAT)}")
    parser.add_argument("--threads", type=lambda t: [int(n) for n in names(t)], default=[1, 2], metavar="A,B",
                        help="numbers of threads (1,2); one of them, the last, for --layers and --kernels")
    parser.add_argument("--only", type=names, metavar="A,B", help=f"contenders: {', '.join(c.label for c in CONTENDERS)}")
    parser.add_argument("--seconds", type=float, default=4.0, help="time for each contender and net (%(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="turns that this time is cut into (%(default)s)")
    parser.add_argument("--median", action="store_true", help="medians instead of the least (for a quiet machine)")
    parser.add_argument("--json", type=Path, help="write every time measured to this file too")
    parser.add_argument("--layers", choices=sorted(BATCHES), metavar="NET", help="layer by layer")
    parser.add_argument("--kernels", action="store_true", help="the memory-bound kernels")
    parser.add_argument("--startup", action="store_true", help="cold and warm start")
    args = parser.parse_args(argv)
    for chosen, known, what in ((args.nets, BATCHES, "net"), (args.what, WHAT, "measurement"),
                                (args.only or [], [c.label for c in CONTENDERS], "contender")):
        for name in chosen:
            if name not in known:
                parser.error(f"unknown {what} '{name}'; known: {', '.join(known)}")
    return args


class Worker:
    """A process that waits to be told how often to run its net."""

    def __init__(self, contender: Contender, net: str, what: str, threads: int) -> None:
        self.times: list[float] = []
        self.ready: dict[str, float] = {}
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the worker
        batch = 1 if what == "latency" else BATCHES[net]
        command = [sys.executable, str(HERE / "bench_nets.py"), contender.library, net,
                   "train" if what == "train" else "infer", "--batch", str(batch), "--threads", str(threads)]
        env = {**os.environ, **(TUNED if contender.tuned else {}), "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        env=env)
        for line in self.process.stdout or ():
            if line.startswith("ready "):
                self.ready = json.loads(line[6:])
                break

    def run(self, count: int) -> float:
        """Run ``count`` times; the seconds of one run."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        times = json.loads(self.process.stdout.readline())
        self.times += times
        return sum(times) / len(times)

    def why(self) -> str:
        """The last line that a failed worker wrote."""
        self.errors.seek(0)
        return (self.errors.read().strip().splitlines() or ["no message"])[-1]

    def stop(self) -> None:
        """End the process."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait()
        self.errors.close()


class Result(NamedTuple):
    """Milliseconds, and megabytes that the process grew by at its peak."""

    ms: float
    peak_mb: float


def race(nets: Sequence[str], what: str, threads: int, args: argparse.Namespace) -> None:
    """Run all contenders over all nets and print one table of times, one of ratios."""
    chosen = [c for c in CONTENDERS if importlib.util.find_spec(c.module) and (not args.only or c.label in args.only)
              and (c.trains or what != "train")]
    quiet = Quiet()
    found: dict[str, dict[str, Result]] = {}
    measured: dict[str, dict[str, list[float]]] = {}
    for net in nets:
        found[net], measured[net] = {}, {}
        for contender, worker in _in_turns(chosen, net, what, threads, args):
            pick = statistics.median if args.median else min
            found[net][contender.label] = Result(pick(worker.times) * 1e3, worker.ready["peak_mb"])
            measured[net][contender.label] = worker.times
    _print(found, [c.label for c in chosen], f"{WHAT[what]}, {threads} thread{'s' * (threads > 1)}")
    print(f"machine: {quiet}\n", flush=True)
    if args.json:
        known = json.loads(args.json.read_text(encoding="utf-8")) if args.json.exists() else {}
        known[f"{what} {threads}"] = measured
        args.json.write_text(json.dumps(known), encoding="utf-8")


def _in_turns(chosen: Sequence[Contender], net: str, what: str, threads: int,
              args: argparse.Namespace) -> Iterator[tuple[Contender, Worker]]:
    """Start the workers, let them take turns, stop them; gives those that worked."""
    workers = []
    for contender in chosen:
        worker = Worker(contender, net, what, threads)
        if worker.ready:
            workers.append((contender, worker))
        else:
            worker.process.wait()
            print(f"{net}: {contender.label} does not work: {worker.why()}", file=sys.stderr)
            worker.stop()
    try:
        counts = {}
        for contender, worker in workers:
            counts[contender.label] = max(1, round(args.seconds / args.rounds / max(worker.run(1), 1e-6)))
            worker.times.clear()
        for _ in range(args.rounds):
            for contender, worker in workers:
                worker.run(counts[contender.label])
                time.sleep(0.01)  # threads of this one go to sleep before the next begins
    finally:
        for _, worker in workers:
            worker.stop()
    yield from workers


def _print(found: dict[str, dict[str, Result]], labels: Sequence[str], title: str) -> None:
    print(f"\n## {title}\n\nMilliseconds (and peak megabytes beyond the imports):\n")
    rows = [[f"{net} ({BATCHES[net]})" if "one picture" not in title else net,
             *(f"{r.ms:.4g} ({r.peak_mb:.0f})" if (r := by.get(label)) else "-" for label in labels)]
            for net, by in found.items()]
    print(table(rows, ("net (batch)", *labels)))
    peers = {"torch as installed": ["torch"], "torch at its best": [x for x in labels if x.startswith("torch")],
             "OpenCV at its best": [x for x in labels if x.startswith("OpenCV")], "pycaffe": ["pycaffe"]}
    peers = {name: members for name, members in peers.items() if set(members) & set(labels)}
    if not peers or "netdef" not in labels:
        return
    ratios: dict[str, list[float]] = {name: [] for name in peers}
    lines = []
    for net, by in found.items():
        line = [net]
        for name, members in peers.items():
            times = [by[m].ms for m in members if m in by]
            ratio = min(times) / by["netdef"].ms if times and "netdef" in by else None
            line.append(f"{ratio:.2f}" if ratio else "-")
            ratios[name] += [ratio] if ratio else []
        lines.append(line)
    lines.append(["geometric mean", *(f"{geometric_mean(r):.2f}" for r in ratios.values())])
    print("\nTime over netdef's (as installed):\n")
    print(table(lines, ("net", *peers)))


def startup() -> None:
    """Seconds of processor time and of the clock from nothing to a first result."""
    quiet, rows = Quiet(), []
    for label, command in (("netdef --help", ["-m", "netdef.cli.main", "--help"]), ("import netdef", ["-c", "import netdef"]),
                           ("import torch", ["-c", "import torch"])):
        if "torch" not in label or importlib.util.find_spec("torch"):
            cpu, wall = min(_once([sys.executable, *command], {}) for _ in range(5))
            rows.append([label, f"{cpu:.2f}", f"{wall:.2f}"])
    for net in ("lenet", "resnet50"):
        with tempfile.TemporaryDirectory() as cache:
            for state in ("cold", "warm"):
                rows.append(_first(f"netdef, {net}: first training step, {state} cache", "netdef", net, cache))
        if importlib.util.find_spec("torch"):
            rows.append(_first(f"torch, {net}: first training step", "torch", net, ""))
    print(table(rows, ("start", "CPU s", "s")))
    print(f"\nmachine: {quiet}")


def _once(command: Sequence[str], env: dict[str, str]) -> tuple[float, float]:
    """(CPU seconds, seconds) of a process."""
    before, begin = os.times(), time.perf_counter()
    subprocess.run(command, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True, cwd=HERE.parent)
    after = os.times()
    return (after.children_user + after.children_system - before.children_user - before.children_system,
            time.perf_counter() - begin)


def _first(label: str, library: str, net: str, cache: str) -> list[str]:
    command = [sys.executable, str(HERE / "bench_nets.py"), library, net, "train", "--batch", str(BATCHES[net]),
               "--threads", "2"]
    env = {**os.environ, **({"NETDEF_CACHE_DIR": cache} if cache else {})}
    before = os.times()
    output = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    after = os.times()
    ready: dict[str, Any] = json.loads(output.split("ready ", 1)[1].splitlines()[0])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return [label, f"{cpu:.1f}", f"{ready['first_s']:.2f}"]


if __name__ == "__main__":
    sys.exit(main())
