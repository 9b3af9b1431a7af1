"""What `netdef train` and `netdef explain` do with a recipe; no command of its own."""
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from netdef.cli.progress import advise, show_events, show_loaded
from netdef.debug.watch import Watch
from netdef.solvers import events as e
from netdef.solvers.log import lines
from netdef.solvers.recipes import Recipe
from netdef.solvers.recipes.model import Member, Stage
from netdef.solvers.recipes.recipe import Follower
from netdef.solvers.recipes.render import stage_line
from netdef.solvers.signals import Signals
from netdef.solvers.solver import Solver

# Options of `netdef train` that speak of one solver, as the user writes them.
_OF_ONE_SOLVER = {"weights": "--weights", "strict": "--strict", "level": "--level", "stages": "--stage", "trial": "trials",
                  "grad_norms": "--grad-norms", "dump_folder": "--dump-gradients", "tensorboard": "--tensorboard",
                  "page": "--html", "serve": "--serve"}


def explain(source: str, overrides: tuple[str, ...]) -> None:
    """Print the plan."""
    click.echo(str(Recipe(source, overrides)))


def train(source: str, snapshot: str | None, overrides: tuple[str, ...], seed: int | None, options: dict[str, Any]) -> None:
    """Print the plan and run it, or with --dry-run only the former."""
    given = [word for name, word in _OF_ONE_SOLVER.items() if options.get(name) or options.get(name) == 0 and name == "serve"]
    if given:
        raise click.UsageError(f"{given[0]} is about one solver, and '{source}' is a recipe: its stages say such things")
    if snapshot and options.get("run_dir"):
        raise click.UsageError("--snapshot goes on in the folder of its run: leave --run-dir out")
    recipe = Recipe(source, overrides)
    click.echo(f"{recipe}\n")
    if options.get("dry_run"):
        return
    recipe.signals = Signals(options["sigint_effect"], options["sighup_effect"])
    folder = recipe.run(options.get("run_dir"), snapshot, seed, Printer(recipe, options["on_nan"]),
                        ["netdef", *sys.argv[1:]])
    if recipe.stopped:
        click.echo(f"\nstopped\ngo on:  netdef train {source} --snapshot {folder}")
    else:
        click.echo(f"\ndone: all {len(recipe.plan.stages)} stages\nrun:    {folder}")


class Printer(Follower):
    """Prints how a run goes, and lets a watch look at each solver."""

    def __init__(self, recipe: Recipe, on_nan: str) -> None:
        self.count = len(recipe.plan.stages)
        self.on_nan = on_nan

    def folder(self, path: Path) -> None:
        """Where the run is."""
        click.echo(f"run:    {path}")

    def begin(self, stage: Stage, number: int, skipped: bool) -> None:
        """A line for each stage."""
        click.echo(f"\n=== {stage_line(stage, number, self.count)}{': finished already' if skipped else ''}")

    def solver(self, stage: Stage, member: Member, solver: Solver) -> None:
        """What was loaded, and from now on what happens; of nets in turns with their names before each line."""
        if stage.rounds:
            if solver.loaded:
                click.echo(f"[{member.name}]")
            show_loaded(solver)
            solver.listen(_named(member.name))
        else:
            show_loaded(solver)
            show_events(solver)

    def ready(self, stage: Stage, member: Member, solver: Solver) -> None:
        """The watch is the last listener, for it may end the training."""
        solver.listen(Watch(solver, advise, self.on_nan, loaded=bool(solver.loaded) or solver.iter > 0))

    def end(self, stage: Stage, weights: dict[str, Path]) -> None:
        """Where the weights are."""
        for path in weights.values():
            click.echo(f"saved: {path}")


def _named(name: str) -> Callable[[e.Event], None]:
    def show(event: e.Event) -> None:
        for line in lines(event):
            click.echo(f"[{name}] {line}")

    return show
