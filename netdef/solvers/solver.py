"""Solver: the training loop, in Caffe's order."""
from __future__ import annotations

import copy
import math
import os
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from netdef.config.load import load_solver
from netdef.errors import Collector, SolverError, warn
from netdef.runtime.load import load_files
from netdef.runtime.loadreport import LoadReport
from netdef.runtime.net import Net
from netdef.solvers import events as e
from netdef.solvers.debuginfo import DebugInfo, gradient_norms
from netdef.solvers.ema import Averages
from netdef.solvers.evaluate import Scores, evaluate, outputs_of, quiet
from netdef.solvers.keep import Keeper
from netdef.solvers.monitor import Monitor, find_monitor
from netdef.solvers.observe import Observer
from netdef.solvers.policies import Schedule
from netdef.solvers.resume import attempt, first_weights, last_snapshot, read_snapshot, write_snapshot
from netdef.solvers.settings import HDF5, require
from netdef.solvers.setup import set_up
from netdef.solvers.signals import NONE, SNAPSHOT, Signals
from netdef.solvers.snapshot import Snapshots
from netdef.solvers.state import reseed
from netdef.solvers.update import Update

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class Solver:
    """Trains a net as a solver file says.

    ``solver``         path of a solver prototxt or YAML file, or a SolverParameter message
    ``weights``        weights file (or several, later ones win) to start from; layers are matched by name, and
                       ``loaded`` has the reports; ``strict`` refuses files that leave a layer out on either side
    ``snapshot``       .solverstate (or the .caffemodel beside it) to go on from
    ``overrides``      ``("base_lr=0.1", ...)``, laid over the file
    ``seed``           wins over that of a snapshot, which wins over random_seed; without any the system gives one
    ``level, stages``  added to the train net's state, as ``caffe train -level -stage`` does
    ``dtype``          "float32" or "float64"
    ``keep``           what the nets keep of each pass, as for Net: "all", or "outputs" to train with little memory

    ``net`` is the train net, ``test_nets`` use its params (matched by layer name), ``iter`` counts the updates done,
    ``param`` is the SolverParameter; its numbers may be changed between steps. Nothing is printed: ``listen`` tells
    what happens.

    Raises ConfigError(s) with the place in the file, SolverError, WeightsError, DataError.

    >>> import netdef
    >>> solver = netdef.Solver("configs/logreg/solver.yaml")       # doctest: +SKIP
    >>> solver.step(100)                                           # doctest: +SKIP
    >>> solver.test_all()[0].outputs                               # doctest: +SKIP
    """

    def __init__(self, solver: Any, weights: Paths | None = None, snapshot: str | os.PathLike[str] | None = None,
                 overrides: Sequence[str] = (), seed: int | None = None, *, level: int | None = None,
                 stages: Sequence[str] = (), dtype: str = "float32", strict: bool = False,
                 keep: str | Sequence[str] = "all") -> None:
        if weights is not None and snapshot is not None:
            raise SolverError("expected weights or a snapshot, got both",
                              hint="a snapshot brings its own weights and goes on; weights begin at iteration 0")
        errors = Collector()
        self.located = load_solver(solver, overrides=overrides, errors=errors)
        self.param: Any = self.located.message
        setup = set_up(self.located, level, stages, errors)
        self.policy = setup.policy
        given_seed = seed
        if seed is None and self.param.random_seed >= 0:
            seed = self.param.random_seed
        self.net = Net(setup.plans.train, seed=seed, dtype=dtype, keep=keep)
        self.test_nets = [Net(plan, seed=self.net.seed, dtype=dtype, keep=keep) for plan in setup.plans.tests]
        self.test_iter = setup.plans.test_iter
        self.iter = 0
        self.stopped = False
        self.signals = Signals()
        self.update = Update(self.net, self.param, setup.rule)
        stem = "" if self.located.file.startswith("<") else Path(self.located.file).stem
        ending = ".h5" if self.param.snapshot_format == HDF5 else ""
        self.snapshots = Snapshots(self.param.snapshot_prefix, self.net.name or stem, stem, ending)
        self.schedule = Schedule(self.policy)
        self.monitor: Monitor | None = find_monitor(self.located, self.net, self.test_nets)
        self.keeper = Keeper(self.param.snapshot_keep, self.param.snapshot_best,
                             self.monitor is not None and self.monitor.less)
        self.observer = None if self.monitor is None else Observer(self.param, self.monitor, self.schedule, self.keeper,
                                                                   self._emit)
        self.before_tests: tuple[list[Any], dict[str, Any], int] | None = None
        self._debug = [DebugInfo(net, self._emit, lambda: self.iter) for net in [self.net, *self.test_nets]]
        self._listeners: list[e.Listener] = []
        self._losses: deque[float] = deque()
        self._displayed = (time.perf_counter(), 0)
        self._saved_at: int | None = None
        self._warned = False
        self._skipping = False
        self._stopped_early_at: int | None = None
        self.loaded: list[LoadReport] = self._load_weights(weights, strict)
        self.ema = Averages(self.net) if self.param.ema_decay else None
        if snapshot is not None:
            self.restore(snapshot)
            if given_seed is not None:
                reseed([self.net, *self.test_nets], given_seed)

    def _load_weights(self, given: Paths | None, strict: bool) -> list[LoadReport]:
        """What the train net got from each file; test nets get what they have beyond it."""
        if given is None:
            given = first_weights(self.located)
        paths = [Path(path) for path in ([given] if isinstance(given, (str, os.PathLike)) else given)]
        reports = load_files(self.net, paths, strict)
        for net in self.test_nets:
            load_files(net, paths, False)
        return reports

    # what happens ---------------------------------------------------------------------------------------------

    def listen(self, listener: e.Listener) -> None:
        """Call ``listener(event)`` for every event from now on (``events.py``; ``log.lines`` has the words)."""
        self._listeners.append(listener)

    def _emit(self, event: e.Event) -> None:
        for listener in self._listeners:
            listener(event)

    # training -------------------------------------------------------------------------------------------------

    @property
    def lr(self) -> float:
        """The learning rate of the next update, before any lr_mult."""
        return self.schedule.rate(self.param, self.iter)

    def step(self, n: int = 1) -> None:
        """Do ``n`` updates, with the tests, displays and snapshots that fall due; fewer where a stop was asked for.

        A snapshot that cannot be written is a warning, and the training goes on. The smoothed loss begins anew, as in Caffe.
        """
        if self.param.snapshot:
            self.snapshots.prepare()
        self.stopped = False
        self._losses.clear()
        self._displayed = (time.perf_counter(), self.iter)
        stop = self.iter + n
        while self.iter < stop and not self.stopped:
            self._one_iteration()

    def _one_iteration(self) -> None:
        p = self.param
        self.net.clear_param_diffs()
        self.before_tests = None
        tests = p.test_interval and self.iter % p.test_interval == 0 and (self.iter or p.test_initialization)
        if tests and self._stopped_early_at != self.iter:  # who steps on after an early stop means it
            self._due_tests()
            if self.stopped:
                return
            self.before_tests = None
        displays = bool(p.display and self.iter % p.display == 0)
        self._debug[0].switch(bool(p.debug_info and displays))
        self._emit(e.IterationStarted(self.iter))
        loss = self._passes()
        if displays:
            self._display()
        self._emit(e.GradientsReady(self.iter, loss))
        rate = self.lr
        if self._skipping:
            self._skipping = False
            self.iter += 1
        else:
            self._warn_if_not_finite(loss)
            self.apply_update()
        self._emit(e.Updated(self.iter, loss, rate))
        best = displays and self.monitor is not None and self.monitor.net is None and self._look(outputs_of(self.net))
        due = bool(p.snapshot and self.iter % p.snapshot == 0)
        while (request := self.signals.take()) != NONE:
            if request == SNAPSHOT:
                due = True
            else:
                self.stopped = True
        if due or best:
            attempt(self, lambda: self._save(due))

    def _look(self, outputs: Sequence[e.Output]) -> bool:
        """Look at the monitor; whether its value asks for a snapshot. May set ``stopped``."""
        assert self.observer is not None
        self.observer.look(outputs, self.iter)
        if self.observer.enough:
            self.stopped, self._stopped_early_at = True, self.iter
        return self.observer.best

    def _passes(self) -> float:
        """iter_size times forward and backward; the mean loss."""
        loss = 0.0
        with quiet():
            for _ in range(self.param.iter_size):
                self.net.forward()
                loss += self.net.loss
                self.net.backward()
                self._debug[0].finish_backward()
        loss /= int(self.param.iter_size)
        self._smooth(loss)
        return loss

    def _warn_if_not_finite(self, loss: float) -> None:
        """Once; a listener that stops or skips has said so itself."""
        if not math.isfinite(loss) and not self._warned:
            self._warned = True
            warn(f"the loss is {loss:g} at iteration {self.iter}; training goes on, as in Caffe", self.located.span,
                 "a smaller base_lr or clip_gradients may help")

    def _smooth(self, loss: float) -> None:
        self._losses.append(loss)
        windows = [self._losses]
        if self.monitor is not None:
            self.monitor.losses.append(loss)  # not cleared by `step`, so that a resume finds the same mean
            windows.append(self.monitor.losses)
        for window in windows:
            while len(window) > self.param.average_loss:
                window.popleft()

    @property
    def smoothed_loss(self) -> float:
        """Mean of the last average_loss losses since ``step`` was called; 0 before the first."""
        return sum(self._losses) / len(self._losses) if self._losses else 0.0

    def skip_update(self) -> None:
        """For listeners of GradientsReady: leave the coming update out; params and histories stay as they are, and the
        iteration counts."""
        self._skipping = True

    def apply_update(self) -> None:
        """Change the params by the gradients that are in them now, and count the iteration."""
        with quiet():
            self.update.apply(self.lr, self.iter)
            if self.ema is not None:
                self.ema.update(self.param.ema_decay, self.iter)
        self.iter += 1

    def _display(self) -> None:
        now = time.perf_counter()
        since, iteration = self._displayed
        seconds = now - since
        self._displayed = (now, self.iter)
        self._emit(e.Displayed(self.iter, self.smoothed_loss, self.lr, (self.iter - iteration) / (seconds or 1.0),
                               seconds, self.param.display, outputs_of(self.net)))
        if self.param.gradient_norms:
            self._emit(e.GradientNorms(self.iter, *gradient_norms(self.net, self.param.iter_size)))

    def solve(self) -> None:
        """Train from the present iteration to max_iter, take the last snapshot, and test once more, as Caffe does.

        In the main thread, Ctrl-C finishes the iteration, takes the last snapshot and returns with ``stopped`` set;
        see Signals. Raises FieldError without max_iter, SolverError where snapshots cannot be written; where that turns
        out only at the end, the last one is saved in the system's folder for temporary files, and the error says so.
        """
        p = self.param
        require(self.located, "max_iter", "solve()")
        if p.snapshot or p.snapshot_after_train:
            self.snapshots.prepare()
        self._emit(e.Started(self.iter, self.net.name, p.lr_policy))
        with self.signals.handled():
            self.step(max(0, p.max_iter - self.iter))
            if p.snapshot_after_train and self._saved_at != self.iter:
                last_snapshot(self)
            stopped = self.stopped
            if not stopped:
                self._last_look()
        self.stopped = stopped
        self._emit(e.Finished(self.iter, stopped))

    def _last_look(self) -> None:
        """The loss and the tests after the last update, where display and test_interval divide the iteration."""
        p = self.param
        if p.display and self.iter % p.display == 0:
            with quiet():
                self.net.forward()
            self._smooth(self.net.loss)
            self._emit(e.FinalLoss(self.iter, self.smoothed_loss))
        if p.test_interval and self.iter % p.test_interval == 0:
            self._due_tests()
            self.before_tests = None

    def _due_tests(self) -> None:
        """The tests of the loop: the monitor looks at them, and a snapshot taken meanwhile holds the state before them."""
        self.before_tests = self.observed()
        found = self.test_all()
        m = self.monitor
        if m is None or m.net is None or m.net >= len(found):
            return
        if self._look(found[m.net].outputs):
            attempt(self, lambda: self._save(False))
        else:
            self._prune()

    def observed(self) -> tuple[list[Any], dict[str, Any], int]:
        """What tests change: the states of the test nets, the monitor's, and the plateaus passed."""
        tests = copy.deepcopy([net.state() for net in self.test_nets])
        return tests, self.monitor.state() if self.monitor is not None else {}, self.schedule.lowered

    def test_all(self) -> list[Scores]:
        """Run every test net test_iter times; the means of their outputs. Ends early where a stop was asked for.

        With ema_decay the averages of the params are tested.
        """
        self.stopped = False
        found: list[Scores] = []
        for i, (net, passes) in enumerate(zip(self.test_nets, self.test_iter, strict=True)):
            self._emit(e.Testing(self.iter, i))
            net.share_params_with(self.net)
            if self.ema is not None:
                self.averages().lend(net)
            self._debug[i + 1].switch(bool(self.param.debug_info))
            scores = evaluate(net, passes, self._goes_on, ap_version=self.param.ap_version,
                              by_class=self.param.show_per_class_result)
            if scores is None:
                self._emit(e.TestInterrupted(self.iter, i))
                break
            self._emit(e.Tested(self.iter, i, scores.outputs,
                                scores.loss if self.param.test_compute_loss else None))
            found.append(scores)
        return found

    def averages(self) -> Averages:
        """The running averages of the params; before the first update they are the params. Raises SolverError without
        ema_decay."""
        if self.ema is None:
            raise SolverError("there are no averages of the params", hint="ema_decay asks for them")
        if self.iter == 0:
            self.ema.follow()
        return self.ema

    def _goes_on(self) -> bool:
        """Do what signals asked for since the last batch; whether to run another one."""
        while (request := self.signals.take()) != NONE:
            if request == SNAPSHOT:
                attempt(self, self.snapshot)
            else:
                self.stopped = True
        return not self.stopped

    # snapshots ------------------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[Path, Path]:
        """Write ``<prefix>_iter_<iter>.caffemodel`` and ``.solverstate`` (with .h5 behind, where snapshot_format is
        HDF5); their paths.

        Raises SolverError or WeightsError where they cannot be written; the snapshots that were there stay whole.
        """
        return self._save(True)

    def _save(self, due: bool) -> tuple[Path, Path]:
        """``due``: asked for by `snapshot`, the end, a signal or the user, and not only by the monitor's value."""
        model, target = self.snapshots.paths(self.iter)
        self._emit(e.Snapshotting(self.iter, str(model), str(target)))
        write_snapshot(self, due, None if self.observer is None else self.observer.value_at(self.iter))
        self._saved_at = self.iter
        self._emit(e.Snapshotted(self.iter, str(model), str(target)))
        self._prune()
        return model, target

    def _prune(self) -> None:
        """Delete what snapshot_keep and snapshot_best do not keep."""
        if self.keeper.last or self.keeper.best:
            for kept in self.keeper.prune():
                self._emit(e.SnapshotDeleted(kept.iter, kept.state))

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Go back to a snapshot, of netdef's or Caffe's: weights, histories, iteration and, from netdef's, seed, data
        positions and random numbers, so that training goes on bit for bit.

        Raises SolverError where the state or its weights are missing, WeightsError where they do not fit the net.
        """
        place, model, exact = read_snapshot(self, path)
        self._saved_at = self.iter
        self._emit(e.Restored(self.iter, str(place), str(model or ""), exact))

    def close(self) -> None:
        """Release the files and data sources of all nets."""
        for net in [self.net, *self.test_nets]:
            net.close()

    def __enter__(self) -> Solver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Solver {self.param.type} of '{self.net.name}' at iteration {self.iter}>"
