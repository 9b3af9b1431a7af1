"""``netdef grads``: the gradients of every layer."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netdef.cli.options import dialect_option, set_option, weights_option

if TYPE_CHECKING:
    from netdef.report.rundata import RunData


@click.command()
@click.argument("net_or_solver")
@weights_option
@click.option("--iterations", "-n", type=click.IntRange(1), default=1, show_default=True, help="Passes to record.")
@click.option("--out", type=click.Path(path_type=Path), default=None, metavar="FOLDER|FILE.npz",
              help="Folder for iter_<n>.npz, one an iteration; or one .npz for all, its arrays with the iterations first.")
@click.option("--layers", metavar="GLOB", default="*", show_default=True, help="Only layers whose names match.")
@click.option("--show", metavar="LAYER", default=None,
              help="A layer's gradients as numbers, histogram and, for filters, shades.")
@click.option("--samples", is_flag=True, help="Which item of the batch pulls: the norm of each one's gradient.")
@click.option("--update", metavar="LAYER", default=None,
              help="A layer's update taken apart: gradient, decay, momentum (needs a solver).")
@click.option("--compare", type=click.Path(path_type=Path, exists=True), default=None, metavar="OTHER",
              help="An earlier FOLDER or FILE.npz: the first layer that differs, and by how much.")
@click.option("--html", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="Write a page for the browser: the net drawn, every layer's numbers, histograms and pictures, by "
              "iteration; with --compare both side by side.")
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"], case_sensitive=False), default="TRAIN",
              show_default=True, help="Which phase, for a net.")
@click.option("--seed", type=int, default=None, help="Seed of fillers, dropout and shuffling.  [default: the "
              "solver's random_seed, else 0]")
@dialect_option
@set_option
@click.pass_context
def command(ctx: click.Context, net_or_solver: str, weights: str | None, iterations: int, out: Path | None, layers: str,
            show: str | None, samples: bool, update: str | None, compare: Path | None, html: Path | None,
            phase: str, seed: int | None, dialect: str | None, overrides: tuple[str, ...]) -> None:
    """Run NET_OR_SOLVER forward and backward on its own data, and show the gradients of every layer.

    The table has one row a blob and param, the last layer first, as backward runs. A solver also updates the params,
    so that each update is shown relative to its weight. The .npz files have the keys blob/<name>/data, blob/<name>/diff,
    param/<layer>/<i>/data, param/<layer>/<i>/diff (and part and update, where there are such), loss, iteration and net
    (its text). With --compare the exit status is 1 if anything differs.

    NET_OR_SOLVER may also be a run's directory (runs/LeNet/1): its solver then goes on from its newest snapshot. With
    --html it may be what --out has written: the page is made of that, and nothing runs.

    \b
    Examples:
      netdef grads configs/lenet/solver.yaml --out dump
      netdef grads configs/lenet/solver.yaml --show conv1 --samples
      netdef grads configs/lenet/solver.yaml --weights a.caffemodel --compare dump
      netdef grads configs/lenet/solver.yaml -n 5 --html lenet.html
      netdef grads runs/LeNet/1 --html trained.html
      python -c "import numpy; print(numpy.load('dump/iter_000000.npz')['param/conv1/0/diff'].shape)"
    """
    from netdef.cli.options import net_of, weights_of
    from netdef.cli.shown import Shown
    from netdef.config.load import kind_of
    from netdef.debug.dump import run

    if html is not None and _is_recordings(net_or_solver):
        if out is not None or show is not None or samples or update is not None or weights is not None:
            raise click.UsageError("recordings are there already: only --compare, --phase and --html go with them")
        ctx.exit(_page_of_recordings(net_or_solver, html, compare, phase.upper()))
    trained = _run_data(net_or_solver)
    source = net_or_solver if trained is None else trained.solver
    snapshot = trained.snapshot if trained is not None and weights is None else None
    if update is not None and kind_of(source) != "solver":
        raise click.UsageError("--update needs a solver: a net alone has no learning rate")
    shown = Shown(layers, show, samples, update, compare, out)
    if html is not None:
        from netdef.report.grads import GradsPage

        shown.page = GradsPage(html, net_or_solver, iterations, None if compare is None else str(compare),
                               bool(weights or snapshot), trained.curves if trained is not None else ())
    try:
        run(net_of(source, dialect), shown, weights_of(source, weights), iterations,
            seed if snapshot else _seed(source, seed), phase.upper(), overrides, shown.listeners, snapshot, shown.opened)
    finally:
        shown.write_page()  # of what ran before an error, too
    ctx.exit(shown.finish())


def _is_recordings(path: str) -> bool:
    from netdef.report.recordings import is_recordings

    return is_recordings(path)


def _page_of_recordings(source: str, html: Path, compare: Path | None, phase: str) -> int:
    """Write the page; 1 if the recordings differ."""
    from netdef.report.recordings import write_recordings_page

    found = write_recordings_page(source, html, compare, phase)
    for iteration, differences in found:
        click.echo(f"iteration {iteration}: " + (f"first difference: {differences[0]}" if differences else "no layer differs"))
    click.echo(f"written: {html}")
    return 1 if any(differences for _, differences in found) else 0


def _run_data(path: str) -> RunData | None:
    """The parts of a run's directory; None for anything else."""
    if not Path(path).is_dir():
        return None
    from netdef.report.rundata import read_run_data

    return read_run_data(path)


def _seed(source: str, given: int | None) -> int | None:
    """A fixed seed unless the solver has one: the same command shows the same numbers."""
    from netdef.config.load import kind_of, load_solver

    if given is not None or kind_of(source) != "solver":
        return given or 0
    return None if load_solver(source).message.random_seed >= 0 else 0
