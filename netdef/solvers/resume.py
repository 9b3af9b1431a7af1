"""Between a solver and its snapshots: what is written, and how everything is put back."""
from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netdef import weights
from netdef.config.paths import resolve
from netdef.errors import NetdefError, SolverError, WeightsError, warn
from netdef.runtime.load import save_weights
from netdef.solvers import keep, state
from netdef.solvers.rules import Rule
from netdef.solvers.snapshot import AVERAGES, find_state, find_weights, save_set

if TYPE_CHECKING:
    from netdef.config.located import Located
    from netdef.solvers.solver import Solver


def write_snapshot(solver: Solver, due: bool, value: float | None = None) -> tuple[Path, Path]:
    """Write a solver's params, averages and state under its prefix; the paths of the .caffemodel and the .solverstate.

    ``due`` and ``value`` are for ``Keeper``, which deletes older snapshots afterwards where the solver says so.
    """
    solver.snapshots.sweep()
    model, target = solver.snapshots.paths(solver.iter)
    files: list[tuple[Path, Callable[[Path], None]]] = [(model, _save_net(solver))]
    if solver.ema is not None:
        files.append((solver.snapshots.path(solver.iter, AVERAGES), solver.averages().save))
    keeper = solver.keeper
    entries = keeper.with_new(solver.iter, target, [path for path, _ in files], due, value)
    extra = _extra(solver, str(files[1][0]) if len(files) > 1 else "")
    extra.kept = keep.plain(entries) if keeper.last or keeper.best else []

    def save_state(digests: list[str]) -> None:
        extra.digest, extra.ema_digest = digests[0], digests[1] if len(digests) > 1 else ""
        weights.write_solverstate(target, solver.iter, str(model), solver.update.rule.history,
                                  solver.policy.current_step(solver.param, solver.iter), state.encode(extra))

    save_set(files, target, save_state)
    keeper.entries = entries
    return model, target


def _save_net(solver: Solver) -> Callable[[Path], None]:
    if not solver.param.snapshot_diff:
        return solver.net.save
    return lambda path: save_weights(solver.net, path, diffs=True)


def attempt(solver: Solver, save: Callable[[], object]) -> None:
    """A snapshot amid training: a full disk or a lost folder costs this snapshot and not the training."""
    try:
        save()
    except (OSError, SolverError, WeightsError) as error:
        warn(f"no snapshot at iteration {solver.iter}, training goes on: {_reason(error)}", _where(error))


def last_snapshot(solver: Solver) -> None:
    """The snapshot at the end. Where its place cannot be written, it goes to the system's folder for temporary files, and
    SolverError says where; if that fails too, the first error is raised."""
    try:
        solver.snapshot()
    except (OSError, SolverError, WeightsError) as error:
        folder = Path(tempfile.mkdtemp(prefix="netdef-rescued-"))
        own, solver.snapshots = solver.snapshots, solver.snapshots.elsewhere(folder)
        try:
            model, _ = solver.snapshot()
        except (OSError, SolverError, WeightsError):
            shutil.rmtree(folder, ignore_errors=True)
            raise error from None
        finally:
            solver.snapshots = own
        raise SolverError(f"the last snapshot could not be written ({_reason(error)}); it is now '{model}', with its "
                          ".solverstate", where=_where(error), hint="move both before the system deletes them") from error


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, NetdefError) else str(error)


def _where(error: Exception) -> str | None:
    return str(error.where) if isinstance(error, NetdefError) and error.where else None


def _extra(solver: Solver, ema: str) -> state.ExtraState:
    """What goes beyond Caffe. During tests, the test nets and the monitor as they were before them: whoever goes on from
    such a snapshot does these tests again."""
    tests, monitor, lowered = solver.before_tests or solver.observed()
    return state.ExtraState(state.VERSION, solver.param.type, "", solver.net.seed, solver.net.state(), tests, ema, "",
                            monitor, lowered)


def read_snapshot(solver: Solver, path: str | os.PathLike[str]) -> tuple[Path, Path | None, bool]:
    """Put a solver back to a snapshot; the state's and the weights' paths, and whether the data position was known.

    Everything is compared with the net before the first value is changed.
    """
    place = find_state(path)
    saved = weights.read_solverstate(place)
    extra = state.decode(saved.extra, str(place))
    rule = solver.update.rule
    if extra.type and extra.type != rule.type:
        warn(f"this state was saved by type {extra.type}, its histories now serve {rule.type}", str(place))
    _check_history(rule, saved, str(place))
    model = find_weights(saved.learned_net, place, extra.digest) if saved.learned_net else None
    averages = find_weights(extra.ema, place, extra.ema_digest, AVERAGES) if solver.ema and extra.ema else None
    if model is not None:
        solver.net.load(model)
    _restore_averages(solver, averages, str(place))
    for mine, theirs in zip(rule.history, saved.history, strict=True):
        np.copyto(mine, theirs.reshape(mine.shape), casting="unsafe")
    solver.iter = saved.iter
    if extra.version:
        state.restore_nets(extra, solver.net, solver.test_nets)
    else:
        solver.net.pass_number = saved.iter * solver.param.iter_size  # no random number comes twice
        warn("this state holds no data position (Caffe saves none): data begin at their first record", str(place))
    _restore_observations(solver, extra, place)
    return place, model, bool(extra.version)


def _restore_averages(solver: Solver, path: Path | None, where: str) -> None:
    if solver.ema is None:
        return
    if path is not None:
        solver.ema.load(path)
    else:
        solver.ema.follow()
        warn("this state holds no averages of the params (ema_decay): they begin with its params", where)


def _restore_observations(solver: Solver, extra: state.ExtraState, place: Path) -> None:
    """The monitor, the plateaus passed, and the snapshots that this run may delete: those of its own prefix."""
    solver.schedule.lowered = extra.lowered
    if solver.monitor is not None and extra.monitor:
        solver.monitor.set_state(extra.monitor)
    solver.keeper.set_state(extra.kept if solver.snapshots.is_own(place) else [])


def first_weights(solver: Located) -> list[Path]:
    """The files of a solver's `weights`, each one a path or several with commas between; beside the solver first.

    Raises ConfigError at the field where one is missing.
    """
    found = []
    for i, text in enumerate(solver.message.weights):
        names = [text] if "," not in text or Path(text).exists() else text.split(",")
        found += [resolve(name.strip(), solver.file, solver.span_of("weights", i)) for name in names]
    return found


def _check_history(rule: Rule, saved: weights.SolverStateFile, where: str) -> None:
    if len(saved.history) != len(rule.history):
        raise WeightsError(f"expected {len(rule.history)} histories for {rule.count} params and type {rule.type}, got "
                           f"{len(saved.history)}", where=where,
                           hint="was it saved by another solver type, or from another net?")
    for i, (mine, theirs) in enumerate(zip(rule.history, saved.history, strict=True)):
        if not weights.shapes_match(theirs.shape, mine.shape, saved.legacy[i]):
            raise WeightsError(f"history {i}, of {rule.history_name(i)}, has shape {theirs.shape} in the file and "
                               f"{mine.shape} in the net", where=where)
