"""``netdef train``: the main job."""
from __future__ import annotations

from pathlib import Path

import click

from netdef.cli.options import seed_option, set_option, weights_option


@click.command()
@click.argument("solver")
@weights_option
@click.option("--snapshot", "-s", metavar="FILE", default=None, help="Go on from a .solverstate.")
@set_option
@seed_option
@click.option("--level", type=int, default=None, help="Level for the include and exclude rules.")
@click.option("--stage", "stages", multiple=True, help="A stage for the rules; may be given several times.")
@click.option("--on-nan", type=click.Choice(["stop", "skip", "ignore"]), default="stop", show_default=True,
              help="When loss or gradients are not finite: stop before the params are spoilt, skip the update, or go on.")
@click.option("--dump-gradients", "dump_folder", type=click.Path(path_type=Path, file_okay=False), default=None,
              help="Write every blob's and param's data and gradient into this folder.")
@click.option("--every", type=click.IntRange(1), default=100, show_default=True,
              help="With --dump-gradients: each so many iterations.")
def command(solver: str, weights: str | None, snapshot: str | None, overrides: tuple[str, ...], seed: int | None,
            level: int | None, stages: tuple[str, ...], on_nan: str, dump_folder: Path | None, every: int) -> None:
    """Train as SOLVER says, a solver prototxt or YAML file; builtin:lenet is one that comes with netdef.

    Ctrl-C ends after the batch at hand and keeps a snapshot; a second Ctrl-C ends at once. In a terminal one line
    shows how it goes, in a pipe come the lines that readers of Caffe's logs know. A watch gives one line of advice, on
    stderr, for what is wrong: dead or saturated units, params that do not learn or move too fast, values that are not
    finite; it is silent about a healthy run.

    \b
    Examples:
      netdef train configs/lenet/solver.yaml
      netdef train solver.prototxt --set base_lr=0.001 --set max_iter=500
      netdef train solver.prototxt --snapshot runs/LeNet/1/LeNet_iter_5000.solverstate
    """
    from netdef.cli.options import weight_files
    from netdef.cli.progress import advise, listener
    from netdef.debug.watch import Watch
    from netdef.solvers.solver import Solver

    if weights and snapshot:
        raise click.UsageError("--weights begins at iteration 0, --snapshot goes on: give one of them")
    with Solver(solver, weights=weight_files(weights) or None, overrides=overrides, seed=seed, level=level,
                stages=stages) as made:
        if dump_folder is not None:
            from netdef.debug.dump import GradientDump, into

            made.listen(GradientDump(made, into(dump_folder), every))
        made.listen(listener(made, solver))
        if snapshot is not None:
            made.restore(snapshot)
        made.listen(Watch(made, advise, on_nan, loaded=bool(weights or snapshot or made.param.weights)))
        made.solve()
