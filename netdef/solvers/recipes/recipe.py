"""Recipe: a recipe file, planned and run."""
from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from netdef.config.load import load_recipe
from netdef.errors import Collector, log
from netdef.runtime.loadreport import LoadReport
from netdef.runtime.net import Net
from netdef.solvers import events as e
from netdef.solvers.recipes.folder import RunFolder, tidy
from netdef.solvers.recipes.model import Member, RecipePlan, Stage
from netdef.solvers.recipes.plan import plan_recipe
from netdef.solvers.recipes.render import render_recipe
from netdef.solvers.recipes.sources import take
from netdef.solvers.recipes.turns import Turns, newest
from netdef.solvers.rundir import RunDirectory
from netdef.solvers.signals import Signals
from netdef.solvers.solver import Solver


class Follower:
    """Is told how a run goes; the methods do nothing, subclasses do what they like (the command line prints)."""

    def folder(self, path: Path) -> None:
        """The run's folder is there."""

    def begin(self, stage: Stage, number: int, skipped: bool) -> None:
        """A stage begins, the first one as number 1, or is skipped since it is finished."""

    def solver(self, stage: Stage, member: Member, solver: Solver) -> None:
        """A solver is made and has its weights; the snapshot that it goes on from is not read yet."""

    def ready(self, stage: Stage, member: Member, solver: Solver) -> None:
        """Its first iteration comes now; listeners that may end the training are added here."""

    def end(self, stage: Stage, weights: dict[str, Path]) -> None:
        """A stage is finished; the weights of its nets."""


class Recipe:
    """Several trainings in stages, as a recipe file says.

    ``recipe``     path of a prototxt or YAML file, or a RecipeParameter message
    ``overrides``  ``("stage.pre1.max_iter=100", ...)``, laid over the file

    ``plan`` is the plan, ``str(recipe)`` says it in words. Everything is checked before anything runs: raises ConfigError(s)
    with places.

    >>> import netdef
    >>> recipe = netdef.Recipe("configs/mnist_autoencoder/recipe.yaml")  # doctest: +SKIP
    >>> print(recipe)                                                    # doctest: +SKIP
    >>> recipe.run()                                                     # doctest: +SKIP
    """

    def __init__(self, recipe: Any, overrides: Sequence[str] = ()) -> None:
        errors = Collector()
        self.located = load_recipe(recipe, overrides, errors)
        errors.raise_all()
        self.plan: RecipePlan = plan_recipe(self.located)
        self.signals = Signals()
        self.stopped = False

    def __str__(self) -> str:
        return render_recipe(self.plan)

    def run(self, folder: str | os.PathLike[str] | None = None, snapshot: str | os.PathLike[str] | None = None,
            seed: int | None = None, follower: Follower | None = None, command: Sequence[str] = ()) -> Path:
        """Run the stages that are not finished; the run's folder. ``stopped`` is set where a signal ended it early.

        ``folder`` is for a new run; ``snapshot`` is the folder of one to go on with: at the stage, turn and iteration where
        it stopped, bit for bit. ``seed`` wins over all that files say. Raises what solvers raise.
        """
        told = follower or Follower()
        home = RunFolder.open(snapshot) if snapshot is not None else self._new_folder(folder, seed)
        told.folder(home.path)
        self.stopped = False
        for number, stage in enumerate(self.plan.stages, 1):
            skipped = home.is_finished(stage)
            told.begin(stage, number, skipped)
            if skipped:
                continue
            run = _InTurns(self, home, stage, told) if stage.rounds else _Single(self, home, stage, told, command)
            if not run.run():
                self.stopped = True
                break
        return home.path

    def _new_folder(self, folder: str | os.PathLike[str] | None, seed: int | None) -> RunFolder:
        own = int(self.located.message.random_seed)
        chosen = seed if seed is not None else own if own >= 0 else secrets.randbits(63)
        return RunFolder.create(self.plan, folder, chosen, seed is not None)


class _Running:
    """One stage of a run."""

    def __init__(self, recipe: Recipe, home: RunFolder, stage: Stage, told: Follower) -> None:
        self.recipe = recipe
        self.home = home
        self.stage = stage
        self.told = told
        self.place = home.stage(stage.name)

    def seed(self, member: Member) -> int:
        """The seed of a solver or a lent net."""
        name = self.stage.name if not self.stage.rounds else f"{self.stage.name}/{member.name}"
        return self.home.seed_of(name, int(member.solver.message.random_seed))

    def take(self, member: Member, nets: Sequence[Net]) -> list[LoadReport]:
        """Copy what the member takes over into its nets."""
        reports = []
        for taken in member.taken:
            by_net: dict[str, list[tuple[str, str]]] = {}
            for net, pair in zip(taken.nets, taken.layers, strict=True):
                by_net.setdefault(net, []).append(pair)
            for net, pairs in by_net.items():
                path = self.home.weights_of(taken.stage.partition("/")[0], net) if taken.stage else Path(taken.file)
                reports.append(take(nets, path, pairs))
        return reports

    def done(self, iterations: int, files: dict[str, tuple[Path, Path]]) -> None:
        """Note the stage as finished and tidy up."""
        weights = {name: model for name, (model, _) in files.items()}
        self.home.finish(self.stage, iterations, weights)
        tidy(self.place, int(self.stage.located.message.keep), {p for pair in files.values() for p in pair})
        self.told.end(self.stage, weights)


class _Single(_Running):
    """A stage with one solver."""

    def __init__(self, recipe: Recipe, home: RunFolder, stage: Stage, told: Follower, command: Sequence[str]) -> None:
        super().__init__(recipe, home, stage, told)
        self.command = command

    def run(self) -> bool:
        """Train to the end; False where the user stopped it."""
        member, state = self.stage.members[0], self.home.last_state(self.stage.name)
        if state is None:
            self.home.clear(self.stage.name)
        with _said_before():
            solver = Solver(member.solver, seed=self.seed(member))
        early: list[e.Event] = []
        with solver:
            solver.signals = self.recipe.signals
            solver.loaded = self.take(member, [solver.net, *solver.test_nets])
            solver.listen(lambda event: early.append(event) if isinstance(event, e.StoppedEarly) else None)
            with RunDirectory(solver, self.place, state) as directory:
                self.told.solver(self.stage, member, solver)
                if state is not None:
                    solver.restore(state)
                directory.begin(self.command)
                self.told.ready(self.stage, member, solver)
                solver.solve()
            if solver.stopped and not early:
                return False
            self.done(solver.iter, {member.name: solver.snapshots.paths(solver.iter)})
        return True


class _InTurns(_Running):
    """A stage with several."""

    def run(self) -> bool:
        """Train to the end; False where the user stopped it."""
        moment = newest(self.place)
        if moment is None:
            self.home.clear(self.stage.name)
        with _said_before():
            turns = Turns(self.stage, {m.name: self.seed(m) for m in self.stage.members}, self.place)
        try:
            for member in self.stage.members:
                player = turns.players.get(member.name)
                reports = self.take(member, [turns.linked[member.name].net, *(player.test_nets if player else ())])
                if player is not None:
                    player.loaded = reports
                    self.told.solver(self.stage, member, player)
            if moment is not None:
                turns.restore(moment)
            turns.record()
            for member in self.stage.members:
                if member.name in turns.players:
                    self.told.ready(self.stage, member, turns.players[member.name])
            if not turns.run(self.recipe.signals):
                return False
            self.done(turns.total, turns.files())
        finally:
            turns.close()
        return True


@contextmanager
def _said_before() -> Iterator[None]:
    """Without the warnings about nets and solvers, which planning has given already."""
    level = log.level
    log.setLevel("ERROR")
    try:
        yield
    finally:
        log.setLevel(level)
