"""The folder of a recipe's run: a state file that says which stages are finished, and a folder for each stage."""
from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from netdef.errors import SolverError, warn
from netdef.solvers.recipes.model import RecipePlan, Stage
from netdef.solvers.snapshot import RUNS, next_run
from netdef.weights import atomic_write

STATE = "recipe.json"
VERSION = 1
_ENDING = re.compile(r"(\.ema)?\.(caffemodel|solverstate)(\.h5)?$")
_STATE = re.compile(r"_iter_(\d+)\.solverstate(\.h5)?$")


@dataclass
class Finished:
    """A finished stage: its fingerprint then, iterations done, and the weights of each net, relative to the run."""

    digest: str
    iterations: int
    weights: dict[str, str] = field(default_factory=dict)


class RunFolder:
    """``path`` with its state. ``seed`` is that of the recipe; ``given``: it wins over what solvers say themselves."""

    def __init__(self, path: Path, seed: int, given: bool, finished: dict[str, Finished] | None = None) -> None:
        self.path = path
        self.seed = seed
        self.given = given
        self.finished = finished if finished is not None else {}

    @staticmethod
    def create(plan: RecipePlan, wanted: str | os.PathLike[str] | None, seed: int, given: bool) -> RunFolder:
        """A new run: the folder asked for, which must be empty, or the next number in runs/NAME. Raises SolverError."""
        place = wanted or plan.located.message.folder
        try:
            if not place:
                made = next_run(Path(RUNS) / (re.sub(r"[^\w.-]+", "_", plan.name).strip("._") or "recipe"))
            else:
                made = Path(place)
                if made.is_dir() and any(made.iterdir()):
                    raise SolverError("the folder of the run is not empty", where=str(made),
                                      hint="take a new one, or go on with --snapshot" if not (made / STATE).exists() else
                                      f"--snapshot {made} goes on with the run in it")
                made.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SolverError(f"cannot make the folder of the run: {error.strerror or error}", where=str(place or RUNS)) \
                from error
        folder = RunFolder(made, seed, given)
        folder.save()
        return folder

    @staticmethod
    def open(path: str | os.PathLike[str]) -> RunFolder:
        """The folder of an earlier run, by its own path or that of its state file. Raises SolverError."""
        place = Path(path)
        home = place.parent if place.name == STATE else place
        file = home / STATE
        if not file.is_file():
            above = next((p for p in place.absolute().parents if (p / STATE).is_file()), None)
            raise SolverError(f"is no folder of a recipe's run: there is no {STATE} in it", where=str(path),
                              hint=f"the run's folder is '{os.path.relpath(above)}'" if above is not None else "")
        try:
            read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if int(read["version"]) > VERSION:
                raise SolverError(f"this state is of version {read['version']}; this netdef reads up to {VERSION}",
                                  where=str(file), hint="a newer netdef wrote it")
            finished = {name: Finished(**entry) for name, entry in read["finished"].items()}
            return RunFolder(home, int(read["seed"]), bool(read["given"]), finished)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SolverError(f"cannot be read as the state of a recipe's run: {error}", where=str(file)) from error

    def save(self) -> None:
        """Write the state; the old one stays until the new one is whole."""
        told = {"version": VERSION, "seed": self.seed, "given": self.given,
                "finished": {name: asdict(entry) for name, entry in self.finished.items()}}
        with atomic_write(self.path / STATE, "w") as file:
            file.write(json.dumps(told, indent=2) + "\n")

    # stages ---------------------------------------------------------------------------------------------------

    def stage(self, name: str) -> Path:
        """The folder of a stage."""
        return self.path / name

    def seed_of(self, name: str, own: int) -> int:
        """The seed of a stage or turn: its solver's own random_seed, unless the user gave a seed for all."""
        if own >= 0 and not self.given:
            return own
        digest = hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 1

    def is_finished(self, stage: Stage) -> bool:
        """Whether a stage is done; a warning where the recipe has changed since."""
        entry = self.finished.get(stage.name)
        if entry is not None and entry.digest != stage.digest:
            warn(f"stage '{stage.name}' has changed since it ran; what it learned is kept", stage.located.span)
        return entry is not None

    def finish(self, stage: Stage, iterations: int, weights: dict[str, Path]) -> None:
        """Note a stage as done, with the weights of each of its nets."""
        self.finished[stage.name] = Finished(stage.digest, iterations,
                                             {net: os.path.relpath(p, self.path) for net, p in weights.items()})
        self.save()

    def weights_of(self, stage: str, net: str) -> Path:
        """The weights of a net of a finished stage."""
        return self.path / self.finished[stage].weights[net]

    def last_state(self, name: str) -> Path | None:
        """The newest snapshot of a stage that was stopped; None where it had none."""
        return newest_state(self.stage(name))

    def clear(self, name: str) -> None:
        """Delete what a stage left that was stopped before its first snapshot."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.stage(name))


def newest_state(folder: Path) -> Path | None:
    """The .solverstate of the highest iteration in a folder."""
    found = {int(m[1]): p for p in folder.glob("*.solverstate*") if (m := _STATE.search(p.name))} if folder.is_dir() else {}
    return found[max(found)] if found else None


def tidy(folder: Path, keep: int, last: Collection[Path]) -> None:
    """Delete what a finished stage is not to keep; ``last`` are the files of its last snapshot. With ALL (0) everything
    stays, with LAST (1) these and the averages beside them, with WEIGHTS (2) the weights and averages."""
    if keep == 0:
        return
    homes = {path.parent for path in last}
    begins = {_ENDING.sub("", str(path)) for path in last}
    for moment in folder.glob("at_*"):
        if moment not in homes:
            shutil.rmtree(moment, ignore_errors=True)
    for path in [p for home in homes for p in home.glob("*_iter_*")]:
        if _ENDING.sub("", str(path)) not in begins or (keep == 2 and ".solverstate" in path.name):
            with contextlib.suppress(OSError):
                path.unlink()
