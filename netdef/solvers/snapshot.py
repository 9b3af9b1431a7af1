"""Snapshots: where they go, how a pair of files stays whole, and how one is found again.

A snapshot is Caffe's pair ``<prefix>_iter_<n>.caffemodel`` and ``.solverstate``, which Caffe reads, or their HDF5 twins
(.h5); with ema_decay the averages come as ``.ema.caffemodel``. What netdef needs beyond Caffe's fields to go on bit for
bit (seed, pass numbers, data positions, digests of the weights) stands as JSON in one field more of the .solverstate:
readers keep unknown fields aside, and one file renamed into place cannot get out of step with itself.

The files cannot be renamed in one step. Where a snapshot of the same iteration is written over, the old weights
therefore keep a second name until the new state is in place; ``find_weights`` takes whichever file has the digest that
the state was written with.
"""
from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from netdef import weights
from netdef.errors import NetdefError, SolverError, warn
from netdef.solvers import state

RUNS = "runs"
WEIGHTS, AVERAGES, STATE = ".caffemodel", ".ema.caffemodel", ".solverstate"
_ENDINGS = re.compile(r"(\.ema)?\.(caffemodel|solverstate)(\.h5)?$")


class Snapshots:
    """Names of a run's snapshots.

    ``prefix`` is used as written, relative to the working directory (``prepare`` makes its folder); an existing folder
    gets ``stem`` as the files' name in it, as in Caffe. Without a prefix the run gets a folder of its own,
    ``runs/<name>/<number>/``, with the next free number. ``ending`` is ".h5" for snapshots in HDF5.
    """

    def __init__(self, prefix: str, name: str, stem: str, ending: str = "") -> None:
        self._prefix = prefix
        self._name = re.sub(r"[^\w.-]+", "_", name).strip("._") or "net"
        self._stem = stem
        self._ending = ending
        self._ready = ""
        self._home: Path | None = None

    @property
    def name(self) -> str:
        """The net's name as that of a folder."""
        return self._name

    def in_folder(self, folder: Path) -> None:
        """Without a prefix: write into this folder, not into a new one. To be called before the first snapshot."""
        self._home = folder

    def elsewhere(self, folder: Path) -> Snapshots:
        """Names for one snapshot in another folder, in the same format."""
        return Snapshots(str(folder / (os.path.basename(self._ready) or self._name)), self._name, self._stem, self._ending)

    def prepare(self) -> str:
        """The prefix, its folder made and probed for writing; raises SolverError where that fails. Later calls cost
        nothing."""
        if not self._ready:
            if self._ending:
                weights.h5py_or_error(self._prefix or RUNS)
            try:
                self._ready = self._reserve()
                with weights.unfinished(self._ready):
                    pass  # a file can be made there
            except OSError as error:
                self._ready = ""
                raise SolverError(f"cannot write snapshots to '{self._prefix or RUNS}': {error.strerror or error}",
                                  hint="snapshot_prefix says where they go") from error
            self.sweep()
        return self._ready

    def sweep(self) -> None:
        """Put in order what killed processes left of snapshots under this prefix; see recover.py."""
        from netdef.solvers.recover import tidy  # it needs this module

        tidy(self.prepare())

    def paths(self, iteration: int) -> tuple[Path, Path]:
        """The .caffemodel and the .solverstate of an iteration, or their HDF5 twins."""
        return self.path(iteration, WEIGHTS), self.path(iteration, STATE)

    def path(self, iteration: int, kind: str) -> Path:
        """The file of an iteration whose name ends in ``kind``, or its HDF5 twin."""
        return Path(f"{self.prepare()}_iter_{iteration}{kind}{self._ending}")

    def is_own(self, state: Path) -> bool:
        """Whether a .solverstate has a name that this run would give."""
        if not (self._prefix or self._ready or self._home):
            return False  # it will get a new folder
        prefix = os.path.abspath(self._ready or self._given())
        return re.fullmatch(re.escape(prefix) + r"_iter_\d+\.solverstate(\.h5)?", os.path.abspath(state)) is not None

    def _reserve(self) -> str:
        if not (self._prefix or self._home):
            self._home = next_run(Path(RUNS) / self._name)
        prefix = self._given()
        os.makedirs(os.path.dirname(prefix) or ".", exist_ok=True)
        return prefix

    def _given(self) -> str:
        if not self._prefix and self._home is not None:
            return os.path.join(self._home, self._name)
        if os.path.isdir(self._prefix) and self._stem:
            return os.path.join(self._prefix, self._stem)
        return self._prefix


def save_set(models: Sequence[tuple[Path, Callable[[Path], None]]], solverstate: Path,
             save_state: Callable[[list[str]], None]) -> None:
    """Write all files of a snapshot, weights first; whatever ends this early leaves the one that was there whole.

    ``models`` are weights files with what writes them; ``save_state(digests)`` writes the state with the digests of
    these.
    """
    with contextlib.ExitStack() as locks:  # so that no other process takes the second names for those of a dead one
        try:
            for model, _ in models:
                if model.exists() and solverstate.exists() and _belongs(model, solverstate):
                    locks.enter_context(weights.locked(model))
                    _keep(model, aside_of(model))
                    locks.enter_context(weights.locked(aside_of(model)))
            for model, save in models:
                save(model)
            save_state([digest_of(model) for model, _ in models])
        except BaseException:
            for model, _ in models:
                if aside_of(model).exists():
                    os.replace(aside_of(model), model)
                    _forget(aside_of(model))  # two names of one file: then the renaming did nothing
            raise
        for model, _ in models:
            _forget(aside_of(model))


def digest_of(path: Path) -> str:
    """A fingerprint of a file's bytes: BLAKE2b of 16 bytes, in hexadecimal."""
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def digests_in(solverstate: Path) -> list[str]:
    """The digests of the weights that a state was written with; none where Caffe wrote it. Raises NetdefError."""
    extra = state.decode(weights.read_solverstate(solverstate).extra)
    return [digest for digest in (extra.digest, extra.ema_digest) if digest]


def beside(path: Path, kind: str) -> list[Path]:
    """The files of the same snapshot that end in ``kind``, in either format; that of the same format first."""
    base = _ENDINGS.sub("", path.name)
    names = [base + kind, base + kind + ".h5"]
    return [path.with_name(name) for name in (reversed(names) if path.name.endswith(".h5") else names)]


def find_state(path: str | os.PathLike[str]) -> Path:
    """The .solverstate that a user means: itself, or the one beside a .caffemodel. Raises SolverError."""
    given = Path(path)
    if re.search(r"\.caffemodel(\.h5)?$", given.name):
        found = next((p for p in beside(given, STATE) if p.exists()), None)
        if found is None:
            raise SolverError("is weights only, and there is no .solverstate beside it", where=str(path),
                              hint="give weights as `weights`, which starts at iteration 0")
        return found
    if not given.exists():
        raise SolverError(f"no file '{path}': tried '{Path.cwd() / given}'")
    return given


def find_weights(learned_net: str, solverstate: Path, digest: str, kind: str = WEIGHTS) -> Path:
    """The weights that belong to a state; ``kind`` is what their names end in.

    They are looked for as written (relative to the working directory), then beside the state. Where the state has a
    digest, the file with this digest is taken; if none has it, the first one, with a warning. Raises SolverError with
    all places tried.
    """
    folder = solverstate.parent
    tried = dict.fromkeys([Path(learned_net), folder / learned_net, folder / Path(learned_net).name,
                           *beside(solverstate, kind)])
    found = [p for p in tried if p.is_file()]
    if digest:
        for path in [q for p in tried for q in (p, aside_of(p)) if q.is_file()]:
            if digest_of(path) == digest:
                return path
        if found:
            warn(f"'{found[0]}' is not the file that was saved with this state; going on with it all the same",
                 str(solverstate))
    if not found:
        places = " and ".join(f"'{p}'" for p in tried)
        raise SolverError(f"its weights '{learned_net}' are missing: tried {places}", where=str(solverstate))
    return found[0]


def aside_of(model: Path) -> Path:
    """The second name of weights that are being replaced."""
    return model.with_name(f".{model.stem}.previous{model.suffix}")


def _belongs(model: Path, solverstate: Path) -> bool:
    """Whether the weights are among those that the state was written with (nothing known: they are)."""
    try:
        known = digests_in(solverstate)
    except NetdefError:
        return False
    return not known or digest_of(model) in known


def _keep(model: Path, aside: Path) -> None:
    """Give a file a second name, by a copy where the file system has no links."""
    with contextlib.suppress(FileNotFoundError):
        aside.unlink()
    try:
        os.link(model, aside)
    except OSError:
        with weights.atomic_write(aside) as part, open(model, "rb") as file:
            shutil.copyfileobj(file, part)  # a half-written second name must never take the place of the first


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def next_run(folder: Path) -> Path:
    """A new folder in ``folder``, called by the number after the largest one there."""
    folder.mkdir(parents=True, exist_ok=True)
    number = max((int(p.name) for p in folder.iterdir() if p.name.isdecimal()), default=0) + 1
    while True:
        try:
            (folder / str(number)).mkdir()
            return folder / str(number)
        except FileExistsError:  # another run was faster
            number += 1
