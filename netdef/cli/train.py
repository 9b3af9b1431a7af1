"""``netdef train``: the main job."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdef.cli.options import seed_option, set_option, weights_option
from netdef.cli.served import Serving, serve_option, serving

if TYPE_CHECKING:
    from netdef.debug.watch import Watch
    from netdef.report.runserver import RunServer
    from netdef.report.training import TrainingPage
    from netdef.solvers.solver import Solver

EFFECTS = click.Choice(["stop", "snapshot", "none"])


@click.command(cls=Serving)
@click.argument("solver")
@weights_option
@click.option("--strict", is_flag=True, help="With --weights: an error where a layer is left out on either side.")
@click.option("--snapshot", "-s", metavar="FILE", default=None, help="Go on from a .solverstate.")
@set_option
@seed_option
@click.option("--level", type=int, default=None, help="Level for the include and exclude rules.")
@click.option("--stage", "stages", multiple=True, help="A stage for the rules; may be given several times.")
@click.option("--on-nan", type=click.Choice(["stop", "skip", "ignore"]), default="stop", show_default=True,
              help="When loss or gradients are not finite: stop before the params are spoilt, skip the update, or go on.")
@click.option("--sigint-effect", "--sigint_effect", type=EFFECTS, default="stop", show_default=True,
              help="What Ctrl-C does: end after a snapshot, only take a snapshot, or nothing.")
@click.option("--sighup-effect", "--sighup_effect", type=EFFECTS, default="snapshot", show_default=True,
              help="What SIGHUP (the terminal closes) does.")
@click.option("--grad-norms", is_flag=True, help="Log the norm of the gradient, of all params and of each layer's.")
@click.option("--dump-gradients", "dump_folder", type=click.Path(path_type=Path, file_okay=False), default=None,
              help="Write every blob's and param's data and gradient into this folder.")
@click.option("--every", type=click.IntRange(1), default=100, show_default=True,
              help="With --dump-gradients: each so many iterations.")
@click.option("--html", "page", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="Write a page for the browser: a dozen iterations from the first to the last with every layer's "
              "gradients, and the curves. Each of the dozen costs about a pass more.")
@serve_option
@click.option("--fast-dev-run", "trial", flag_value="fast", help="Only try everything once: three iterations, tests of "
              "one batch, a snapshot and its restore. Nothing is kept.")
@click.option("--overfit-batch", "trial", flag_value="overfit", help="Only train on the first batch, 200 iterations "
              "unless --set max_iter says otherwise; exit status 1 if the loss does not fall to a tenth.")
@click.option("--prove-resume", "trial", flag_value="prove", help="Only prove that training goes on exactly: 2N "
              "iterations against N, a snapshot, and N more, bit for bit; exit status 1 if not.")
@click.option("--find-lr", "trial", flag_value="lr", help="Only look for a learning rate: raise it from iteration to "
              "iteration, watch the loss, and suggest a base_lr. Nothing is kept.")
@click.option("--lr-range", type=(click.FloatRange(0, min_open=True), click.FloatRange(0, min_open=True)),
              default=(1e-6, 10.0), show_default=True, metavar="LOW HIGH", help="With --find-lr: the rates to try.")
@click.option("--lr-iter", metavar="N", type=click.IntRange(10), default=100, show_default=True,
              help="With --find-lr: in how many iterations.")
@click.option("--prove-iter", metavar="N", type=click.IntRange(1), default=10, show_default=True,
              help="With --prove-resume: the number N.")
@click.option("--run-dir", type=click.Path(path_type=Path, file_okay=False), default=None, metavar="DIR",
              help="The run's directory, for config, metrics and snapshots; by default runs/NET/NUMBER.")
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard events there too (needs netdef[tensorboard]).")
@click.option("--dry-run", is_flag=True, help="Only print the plan of a recipe.")
def command(solver: str, weights: str | None, snapshot: str | None, overrides: tuple[str, ...], seed: int | None,
            trial: str | None, **options: Any) -> None:
    """Train as SOLVER says, a solver prototxt or YAML file; builtin:lenet is one that comes with netdef. A recipe, which
    runs several solvers in stages, goes in the same way; --snapshot then takes the folder of its run.

    Ctrl-C ends after the batch at hand and keeps a snapshot; a second Ctrl-C ends at once. In a terminal one line
    shows how it goes, in a pipe come the lines that readers of Caffe's logs know. A watch gives one line of advice, on
    stderr, for what is wrong: dead or saturated units, params that do not learn or move too fast, values that are not
    finite; it is silent about a healthy run.

    \b
    Examples:
      netdef train configs/lenet/solver.yaml
      netdef train solver.prototxt --set base_lr=0.001 --set max_iter=500
      netdef train solver.prototxt --snapshot runs/LeNet/1/LeNet_iter_5000.solverstate
      netdef train solver.prototxt --weights a.caffemodel,b.caffemodel.h5 --strict
      netdef train solver.prototxt --prove-resume
      netdef train solver.prototxt --find-lr
      netdef train configs/lenet/solver.yaml --html lenet.html
      netdef train configs/lenet/solver.yaml --serve

    The run's directory holds the config as it was resolved, the environment, metrics.jsonl and the snapshots;
    `netdef plot` draws it, `netdef board` shows it in the browser, `netdef compare` holds two of them against each other.
    """
    from netdef.config.load import is_recipe

    if is_recipe(solver):
        from netdef.cli import recipe

        return recipe.train(solver, snapshot, overrides, seed, {"weights": weights, "trial": trial, **options})
    if options["dry_run"]:
        raise click.UsageError("--dry-run prints the plan of a recipe; `netdef explain` shows a net")
    if weights and snapshot:
        raise click.UsageError("--weights begins at iteration 0, --snapshot goes on: give one of them")
    if trial and options["page"]:
        raise click.UsageError("--html shows a whole training, the trials are short: give one of them")
    if trial and options["serve"] is not None:
        raise click.UsageError("--serve shows a whole training, the trials are short: give one of them")
    if trial and snapshot:
        raise click.UsageError("--snapshot goes on with a training; the trials begin anew")
    if options["grad_norms"]:
        overrides = (*overrides, "gradient_norms=true")

    def make(more: list[str], own_seed: int | None = None) -> Solver:
        from netdef.cli.options import weight_files
        from netdef.solvers.signals import Signals
        from netdef.solvers.solver import Solver

        made = Solver(solver, weights=weight_files(weights) or None, overrides=[*overrides, *more],
                      seed=seed if own_seed is None else own_seed, level=options["level"], stages=options["stages"],
                      strict=options["strict"], keep="outputs")
        made.signals = Signals(options["sigint_effect"], options["sighup_effect"])
        return made

    if trial:
        sys.exit(0 if _try(trial, make, overrides, options) else 1)
    with serving(options["serve"]) as server, make([]) as made:
        _train(made, solver, weights, snapshot, options, server)


def _train(made: Solver, config: str, weights: str | None, snapshot: str | None, options: dict[str, Any],
           server: RunServer | None) -> None:
    """The whole training, recorded in its directory."""
    from netdef.cli.options import weight_files
    from netdef.solvers.rundir import RunDirectory
    from netdef.solvers.settings import require

    require(made.located, "max_iter", "solve()")
    if options["page"] is not None:
        from netdef.report.page import check_place

        check_place(options["page"])
    with RunDirectory(made, options["run_dir"], snapshot, options["tensorboard"]) as run:
        _show(made, config, options)
        if snapshot is not None:
            made.restore(snapshot)
        run.begin(["netdef", *sys.argv[1:]], weight_files(weights), options["level"], options["stages"])
        loaded = bool(weights or snapshot or made.param.weights)
        page = _page(made, options["page"], config, loaded, run.folder, server)
        watch = _watch(made, options["on_nan"], loaded)
        try:
            made.solve()
        finally:
            if page is not None:  # of a training that ended early, too
                page.write(watch.findings, run.folder)
            if options["page"] is not None:
                click.echo(f"page:   {options['page']}")
        click.echo(f"run:    {run.folder}")
        if server is not None:
            click.echo(f"again:  netdef board {run.folder}")


def _page(made: Solver, path: Path | None, config: str, loaded: bool, folder: Path, server: RunServer | None
          ) -> TrainingPage | None:
    """What films the training for --html and --serve; the server begins."""
    if path is None and server is None:
        return None
    from netdef.report.training import TrainingPage

    made_page = TrainingPage(made, path, config, loaded, folder, live=server is not None)
    if server is not None:
        server.begin(folder)
        click.echo(f"live:   {server.url}")
    return made_page


def _show(made: Solver, config: str, options: dict[str, Any]) -> None:
    """Show what was loaded, and from now on what happens."""
    from netdef.cli.progress import listener, show_loaded

    show_loaded(made)
    if options["dump_folder"] is not None:
        from netdef.debug.dump import GradientDump, into

        made.listen(GradientDump(made, into(options["dump_folder"]), options["every"]))
    made.listen(listener(made, config))


def _watch(made: Solver, on_nan: str, loaded: bool) -> Watch:
    """The last listener: it may end the training, and the others have noted the loss by then."""
    from netdef.cli.progress import advise
    from netdef.debug.watch import Watch

    watch = Watch(made, advise, on_nan, loaded=loaded)
    made.listen(watch)
    return watch


def _try(trial: str, make: Any, overrides: tuple[str, ...], options: dict[str, Any]) -> bool:
    """One of the short runs; whether it went well."""
    from netdef.cli import trials
    from netdef.cli.progress import show_events, show_loaded

    if trial == "prove":
        return trials.prove(make, options["prove_iter"])
    if trial == "lr":
        return trials.find_rate(make, options["lr_range"], options["lr_iter"])
    if trial == "overfit":
        return trials.overfit_batch(make, show_events, overrides)

    def show(made: Solver) -> None:
        show_loaded(made)
        show_events(made)

    trials.fast_dev_run(make, show)
    return True
