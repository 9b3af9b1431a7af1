"""``netdef grads``: the gradients of every layer."""
from __future__ import annotations

from pathlib import Path

import click

from netdef.cli.options import set_option, weights_option


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
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"], case_sensitive=False), default="TRAIN",
              show_default=True, help="Which phase, for a net.")
@click.option("--seed", type=int, default=None, help="Seed of fillers, dropout and shuffling.  [default: the "
              "solver's random_seed, else 0]")
@set_option
@click.pass_context
def command(ctx: click.Context, net_or_solver: str, weights: str | None, iterations: int, out: Path | None, layers: str,
            show: str | None, samples: bool, update: str | None, compare: Path | None, phase: str, seed: int | None,
            overrides: tuple[str, ...]) -> None:
    """Run NET_OR_SOLVER forward and backward on its own data, and show the gradients of every layer.

    The table has one row a blob and param, the last layer first, as backward runs. A solver also updates the params,
    so that each update is shown relative to its weight. The .npz files have the keys blob/<name>/data, blob/<name>/diff,
    param/<layer>/<i>/data, param/<layer>/<i>/diff (and part and update, where there are such), loss, iteration and net
    (its text). With --compare the exit status is 1 if anything differs.

    \b
    Examples:
      netdef grads configs/lenet/solver.yaml --out dump
      netdef grads configs/lenet/solver.yaml --show conv1 --samples
      netdef grads configs/lenet/solver.yaml --weights a.caffemodel --compare dump
      python -c "import numpy; print(numpy.load('dump/iter_000000.npz')['param/conv1/0/diff'].shape)"
    """
    from netdef.cli.options import weight_files
    from netdef.cli.shown import Shown
    from netdef.config.load import kind_of
    from netdef.debug.dump import run

    if update is not None and kind_of(net_or_solver) != "solver":
        raise click.UsageError("--update needs a solver: a net alone has no learning rate")
    shown = Shown(layers, show, samples, update, compare, out)
    run(net_or_solver, shown, weight_files(weights), iterations, _seed(net_or_solver, seed), phase.upper(), overrides,
        shown.listeners)
    ctx.exit(shown.finish())


def _seed(source: str, given: int | None) -> int | None:
    """A fixed seed unless the solver has one: the same command shows the same numbers."""
    from netdef.config.load import load_any

    if given is not None:
        return given
    message = load_any(source).message
    return None if getattr(message, "random_seed", -1) >= 0 else 0
