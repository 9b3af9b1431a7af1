"""``netdef blame``: what went wrong in a training, and why."""
from __future__ import annotations

import click

from netdef.cli.options import set_option, weights_option


@click.command()
@click.argument("solver")
@click.option("--snapshot", "-s", metavar="FILE", default=None, help="Replay from a .solverstate.")
@weights_option
@click.option("--iterations", "-n", type=click.IntRange(1), default=None,
              help="How many to replay.  [default: 500, or as many as are left to max_iter]")
@click.option("--seed", type=int, default=None, help="Seed of all random numbers, to replay a run that printed one.  "
              "[default: the snapshot's, random_seed, or 0]")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@set_option
@click.pass_context
def command(ctx: click.Context, solver: str, snapshot: str | None, weights: str | None, iterations: int | None,
            seed: int | None, as_json: bool, overrides: tuple[str, ...]) -> None:
    """Replay the training of SOLVER and say what goes wrong first, where, and why.

    Every layer is looked at after its forward and its backward, every param after its update. The replay stops at the
    first NaN or infinity and at a softmax loss at its clamp (87.3365); otherwise it ends after its iterations and looks
    for gradients that are 0, units that are dead, saturated or all the same, and losses that grow or never move. Exit
    status 1 if something was found, 0 if the run looks healthy.

    \b
    Examples:
      netdef blame solver.prototxt
      netdef blame solver.prototxt --snapshot runs/LeNet/1/LeNet_iter_5000.solverstate -n 200
      netdef blame solver.prototxt --set base_lr=10 --json
    """
    import json

    from netdef.cli.options import weight_files
    from netdef.debug.rerun import blame

    if weights and snapshot:
        raise click.UsageError("--weights begins at iteration 0, --snapshot goes on: give one of them")
    report = blame(solver, snapshot, weight_files(weights), iterations, seed, overrides)
    click.echo(json.dumps(report.as_plain(), indent=2) if as_json else report)
    ctx.exit(0 if report.ok else 1)
