"""The nets of a stage in turns while they run: each runs forward on what the others give, some of them are trained."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from netdef.runtime.executor import RunStep
from netdef.runtime.net import Net
from netdef.solvers import events as e
from netdef.solvers.evaluate import quiet
from netdef.solvers.recipes.links import last_version
from netdef.solvers.recipes.model import Member
from netdef.solvers.resume import write_snapshot
from netdef.solvers.settings import HDF5
from netdef.solvers.snapshot import Snapshots
from netdef.solvers.solver import Solver


class Linked:
    """One net among those of its stage.

    A pass of one net may need passes of others: those that feed it run before, those whose loss it is trained by run
    behind it. ``done`` names the nets that have run in this pass already; their blobs are used as they are.
    """

    def __init__(self, member: Member, net: Net) -> None:
        self.member = member
        self.net = net
        self.others: dict[str, Linked] = {}  # all of the stage by name, itself included
        self._arrived: dict[str, np.ndarray] = {}  # gradients by blob, until backward comes by
        last = {here: last_version(net.plan, here) for g in member.gradients for _, here in g.pairs}
        self._read = {blob: bool(value.readers) for blob, value in last.items() if value is not None}
        if member.gradients:
            net.hooks.add("before_backward", self._deliver)

    def forward(self, done: set[str]) -> float:
        """Run the net on what the others give now; the loss."""
        fed: dict[str, Any] = {}
        for feed in self.member.feeds:
            source = self.others[feed.source]
            if feed.source not in done:
                source.forward(done)
            fed[feed.to] = source.net.blobs[feed.blob].data
        self.net.forward(**fed)
        done.add(self.member.name)
        return self.net.loss

    def ask(self, done: set[str]) -> float:
        """Let the nets that this one is trained by judge what it has just made; the sum of their weighted losses."""
        loss = 0.0
        for gradient in self.member.gradients:
            judge = self.others[gradient.source]
            loss += gradient.weight * judge.forward(done)
            judge.net.backward()
            for there, here in gradient.pairs:
                arrived = gradient.weight * judge.net.blobs[there].diff
                self._arrived[here] = self._arrived[here] + arrived if here in self._arrived else arrived
        return loss

    def _deliver(self, run: RunStep) -> None:
        """Before the backward of the layer that makes a judged blob last: its gradient is what came from the judges, and
        what its readers in this net sent."""
        for blob in [b for b in self._arrived if any(top is self.net.blobs[b] for top in run.tops)]:
            diff = self.net.blobs[blob].diff
            if self._read[blob]:
                diff += self._arrived.pop(blob)
            else:
                diff[...] = self._arrived.pop(blob)


class Player(Solver):
    """A solver that has turns: others run between its iterations, and all are saved together.

    ``home`` is a folder of its own. ``wants_save`` is set where a signal asked for a snapshot.
    """

    def __init__(self, member: Member, seed: int | None, home: Path) -> None:
        super().__init__(member.solver, seed=seed)
        self.snapshots = Snapshots(str(home / member.name), member.name, "",
                                   ".h5" if self.param.snapshot_format == HDF5 else "")
        self.linked = Linked(member, self.net)
        self.wants_save = False

    def play(self, n: int) -> int:
        """Up to ``n`` iterations, fewer where a stop or a snapshot is asked for; how many were done."""
        self.stopped, first = False, self.iter
        while self.iter < first + n and not self.stopped and not self.wants_save:
            self._one_iteration()
        return self.iter - first

    def _passes(self) -> float:
        loss = 0.0
        with quiet():
            for _ in range(self.param.iter_size):
                done: set[str] = set()
                loss += self.linked.forward(done)
                loss += self.linked.ask(done)
                self.net.backward()
                self._debug[0].finish_backward()
        loss /= int(self.param.iter_size)
        self._smooth(loss)
        return loss

    def _save(self, due: bool) -> tuple[Path, Path]:
        """Not alone: a snapshot is of all nets of the stage."""
        self.wants_save = True
        return Path(), Path()

    def save_in(self, folder: Path) -> tuple[Path, Path]:
        """Write this net's part of a snapshot into a folder."""
        self.saved_in(folder)
        self._emit(e.Snapshotting(self.iter, *map(str, self.snapshots.paths(self.iter))))
        model, state = write_snapshot(self, True)
        self._emit(e.Snapshotted(self.iter, str(model), str(state)))
        return model, state

    def saved_in(self, folder: Path) -> None:
        """Look for this net's part of the last snapshot in a folder."""
        self.snapshots = self.snapshots.elsewhere(folder)

    def begin(self) -> None:
        """Say that the stage begins."""
        self._emit(e.Started(self.iter, self.net.name, self.param.lr_policy))

    def finish(self, stopped: bool) -> None:
        """The tests after the last update, where test_interval divides the iteration; then say that it is over."""
        if not stopped and self.param.test_interval and self.iter % self.param.test_interval == 0:
            self._due_tests()
        self._emit(e.Finished(self.iter, stopped))
