"""Kill a training process again and again at random moments, and check that its last snapshot is always whole.

A process trains a small net with dropout, momentum and averaged params, and takes a snapshot after every iteration,
keeping two. It is killed (SIGKILL) after a random time. Then every snapshot on the disk must read, and be bit for bit
what an undisturbed training has at that iteration; the newest must not be older than the one that the process began
with. The next process goes on from it, sometimes from the one before, which it then writes over.

Exit status: 0 all snapshots were whole, 1 one was not (its folder is kept and named). Needs fork, so no Windows.
"""
from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["NETDEF_KERNELS"] = "reference"  # OpenMP's threads do not survive a fork
for library in ("OPENBLAS", "OMP", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

from netdef.errors import NetdefError  # noqa: E402
from netdef.solvers.solver import Solver  # noqa: E402

LENGTH = 40  # iterations of one training; then the folder is cleared and the next one begins
NET = """
name: "victim"
layer { name: "x" type: "DummyData" top: "x" top: "y" dummy_data_param {
  shape { dim: 8 dim: 64 } shape { dim: 8 dim: 32 } data_filler { type: "gaussian" } data_filler { type: "gaussian" } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a"
  inner_product_param { num_output: 256 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "a" top: "a" }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b"
  inner_product_param { num_output: 32 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "b" bottom: "y" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.001 momentum: 0.9 lr_policy: "fixed" random_seed: 1 ema_decay: 0.9
snapshot: 1 snapshot_keep: 2 snapshot_prefix: "s"
"""


class Broken(Exception):
    """A snapshot that is not whole; the text says which and how."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the kills and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000, help="how many processes to kill (%(default)s)")
    parser.add_argument("--seconds", type=float, default=None, help="stop after this time, however many were killed")
    parser.add_argument("--seed", type=int, default=None, help="seed of the random moments (from the clock)")
    args = parser.parse_args(argv)
    if not hasattr(os, "fork"):
        print("kill_test: error: this system cannot fork", file=sys.stderr)
        return 2
    seed = time.time_ns() % 2**32 if args.seed is None else args.seed
    home, folder = Path.cwd(), Path(tempfile.mkdtemp(prefix="netdef-kills-"))
    os.chdir(folder)
    try:
        told = Kills(random.Random(seed)).run(args.kills, args.seconds)
    except Broken as broken:
        print(f"kill_test: seed {seed}: {broken}\nkept: {folder}", file=sys.stderr)
        return 1
    finally:
        os.chdir(home)
    shutil.rmtree(folder)
    print(f"{told}; seed {seed}")
    return 0


class Kills:
    """The processes, and what an undisturbed training has after each iteration."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        Path("net.prototxt").write_text(NET)
        Path("solver.prototxt").write_text(SOLVER)
        self.solver = Solver("solver.prototxt")
        self.solver.snapshot()
        self.begin = {p.name: p.read_bytes() for p in Path().glob("s_iter_0.*")}
        self.expected, self.pace = self._undisturbed()

    def _undisturbed(self) -> tuple[list[str], float]:
        """The digest of everything learned after 0, 1, ... iterations, and the seconds of an iteration."""
        found, began = [digest(self.solver)], time.perf_counter()
        for _ in range(LENGTH):
            self.solver.step(1)
            found.append(digest(self.solver))
        return found, (time.perf_counter() - began) / LENGTH

    def run(self, kills: int, seconds: float | None) -> str:
        """Kill so many processes; a sentence about them. Raises Broken."""
        end = None if seconds is None else time.monotonic() + seconds
        done = midway = over = trainings = 0
        self._clear()
        while done < kills and (end is None or time.monotonic() < end):
            newest = max(states())
            if newest >= LENGTH:
                self._clear()
                trainings += 1
                newest = 0
            start = min(states()) if self.chance.random() < 0.25 else newest
            over += start < newest
            self._kill_one(start)
            done += 1
            midway += self._check(newest if start == newest else start)
        return (f"{done} kills: every snapshot whole; {midway} of them in the midst of writing or deleting one, {over} "
                f"processes wrote over a snapshot, {trainings} trainings came to their end")

    def _clear(self) -> None:
        """Back to the snapshot of iteration 0."""
        for path in [*Path().glob("s_iter_*"), *Path().glob(".s_iter_*")]:
            path.unlink()
        for name, content in self.begin.items():
            Path(name).write_bytes(content)

    def _kill_one(self, start: int) -> None:
        """Train from a snapshot in a process of its own, for a random time of up to some five iterations."""
        wait = self.chance.uniform(0, 5 * self.pace)
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                self.solver.restore(f"s_iter_{start}.solverstate")
                os.write(write_end, b"r")
                self.solver.step(LENGTH - start)
            finally:
                os._exit(0)
        os.close(write_end)
        os.read(read_end, 1)  # it has begun, or died
        os.close(read_end)
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    def _check(self, start: int) -> bool:
        """Whether the process was killed between two whole snapshots' files. Raises Broken."""
        found = states()
        if not found or max(found) < start:
            raise Broken(f"began with iteration {start}, and now there are the states {found}")
        odd = list(Path().glob(".s_iter_*"))
        if self.chance.random() < 0.5:  # what the next run does first; a resume must not depend on it
            self.solver.snapshots.sweep()
            if left := sorted(str(p) for p in Path().glob(".s_iter_*")):
                raise Broken(f"{left} are still there after a sweep")
        for iteration in found:
            try:
                self.solver.restore(f"s_iter_{iteration}.solverstate")
            except NetdefError as error:
                raise Broken(f"iteration {iteration} cannot be read: {error}") from error
            if self.solver.iter != iteration or digest(self.solver) != self.expected[iteration]:
                raise Broken(f"iteration {iteration} is not what an undisturbed training has")
        whole = {f"s_iter_{i}{kind}" for i in found for kind in (".solverstate", ".caffemodel", ".ema.caffemodel")}
        return bool(odd) or {p.name for p in Path().glob("s_iter_*")} != whole


def states() -> list[int]:
    """The iterations that have a state on the disk."""
    return [int(p.stem.rpartition("_")[2]) for p in Path().glob("s_iter_*.solverstate")]


def digest(solver: Solver) -> str:
    """A fingerprint of params, histories and averages."""
    made = hashlib.blake2b(digest_size=16)
    for params in (solver.net.params, solver.averages().params):
        for blobs in params.values():
            for blob in blobs:
                made.update(blob.data.tobytes())
    for history in solver.update.rule.history:
        made.update(history.tobytes())
    return made.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
