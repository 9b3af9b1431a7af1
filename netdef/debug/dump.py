"""Passes of a net or a solver, recorded one by one; and the listener that dumps gradients while training."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from netdef.config.load import kind_of
from netdef.debug.recording import Recorder, Recording, note_updates
from netdef.errors import NetdefError
from netdef.graph.build import build
from netdef.graph.model import GraphPlan
from netdef.runtime.load import own_weights
from netdef.runtime.net import Net
from netdef.solvers import events as e
from netdef.solvers.solver import Solver

Seen = Callable[[Net, Recording], None]
Opened = Callable[[Net, Solver | None], None]


class GradientDump:
    """Listens to a solver and records each iteration that ``every`` divides: ``solver.listen(GradientDump(...))``.

    ``seen(net, recording)`` is called with each recording once its update is known; ``into(folder)`` writes it.
    """

    def __init__(self, solver: Solver, seen: Seen, every: int = 1) -> None:
        self.net = solver.net
        self.seen = seen
        self.every = every
        solver.net.keep_all()  # all blobs are read when the pass is over
        self.recorder = Recorder(solver.net)
        self.pending: Recording | None = None

    def __call__(self, event: e.Event) -> None:
        """Record when the gradients are ready, finish when the update is done."""
        if isinstance(event, e.GradientsReady):
            recording = self.recorder.take(event.iter) if event.iter % self.every == 0 else None
            self.pending = recording
        elif isinstance(event, e.Updated) and self.pending is not None:
            note_updates(self.pending, self.net)
            self.seen(self.net, self.pending)
            self.pending = None


def into(folder: Path) -> Seen:
    """A ``seen`` that writes ``iter_<n>.npz`` into a folder, which is made if need be. Raises NetdefError."""
    def write(net: Net, recording: Recording) -> None:
        make_folder(folder)
        recording.write(folder / f"iter_{recording.iteration:06d}.npz")

    return write


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; NetdefError says why that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NetdefError(f"cannot make the folder: {error.strerror}", where=str(folder)) from error


def run(source: Any, seen: Seen, weights: Sequence[str] = (), iterations: int = 1, seed: int | None = None,
        phase: str = "TRAIN", overrides: Sequence[str] = (),
        listeners: Callable[[Solver], Sequence[e.Listener]] = lambda solver: (), snapshot: str | None = None,
        opened: Opened = lambda net, solver: None) -> None:
    """Run a net or solver for some iterations and record each; a solver updates the params in between, a net does not.

    ``listeners`` makes further listeners for a solver, ``opened(net, solver or None)`` is called before the first pass.
    A solver goes on from ``snapshot``. Raises ConfigError(s), WeightsError, DataError; NetdefError for
    a net in which nothing gets a gradient.
    """
    if kind_of(source) == "solver":
        # only passes and updates are wanted here
        quiet = ("test_interval=2000000000", "test_initialization=false", "snapshot=0", "display=0")
        with Solver(source, weights=list(weights) or None, snapshot=snapshot, overrides=[*overrides, *quiet],
                    seed=seed) as solver:
            _check_gradients(solver.net.plan)
            opened(solver.net, solver)
            for listener in listeners(solver):
                solver.listen(listener)
            solver.listen(GradientDump(solver, seen))
            solver.step(iterations)
        return
    plan = build(source, phase, overrides=overrides)
    _check_gradients(plan)
    with Net(plan, weights=weights or own_weights(source), seed=seed) as net:
        recorder = Recorder(net)
        opened(net, None)
        for iteration in range(iterations):
            net.clear_param_diffs()
            net.forward()
            net.backward()
            seen(net, recorder.take(iteration))


def _check_gradients(plan: GraphPlan) -> None:
    if plan.backward_order:
        return
    d = plan.description
    why = "it has no loss" if not plan.losses else "no param that learns leads to a loss"
    raise NetdefError(f"net '{d.name}' ({d.state}): nothing gets a gradient, for {why}", where=d.located.file,
                      hint="`netdef explain NET --why NAME` shows where gradients stop")
