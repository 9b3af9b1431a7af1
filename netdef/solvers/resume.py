"""Between a solver and its snapshots: what is written, and how everything is put back."""
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netdef import weights
from netdef.config.paths import resolve
from netdef.errors import WeightsError, warn
from netdef.solvers import state
from netdef.solvers.rules import Rule
from netdef.solvers.snapshot import find_state, find_weights, save_pair

if TYPE_CHECKING:
    from netdef.config.located import Located
    from netdef.solvers.solver import Solver


def write_snapshot(solver: Solver, model: Path, target: Path) -> None:
    """Write a solver's params to ``model`` (.caffemodel) and its state to ``target`` (.solverstate)."""
    extra = state.ExtraState(state.VERSION, solver.param.type, "", solver.net.seed, solver.net.state(),
                             [net.state() for net in solver.test_nets])

    def save_state(digest: str) -> None:
        extra.digest = digest
        weights.write_solverstate(target, solver.iter, str(model), solver.update.rule.history,
                                  solver.policy.current_step(solver.param, solver.iter), state.encode(extra))

    save_pair(model, target, solver.net.save, save_state)


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
    if model is not None:
        solver.net.load(model)
    for mine, theirs in zip(rule.history, saved.history, strict=True):
        np.copyto(mine, theirs.reshape(mine.shape), casting="unsafe")
    solver.iter = saved.iter
    if extra.version:
        state.restore_nets(extra, solver.net, solver.test_nets)
    else:
        solver.net.pass_number = saved.iter * solver.param.iter_size  # no random number comes twice
        warn("this state holds no data position (Caffe saves none): data begin at their first record", str(place))
    return place, model, bool(extra.version)


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
