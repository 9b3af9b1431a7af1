"""``netdef check``: are the gradients right?"""
from __future__ import annotations

import click

from netdef.cli.options import state_options, weights_option


@click.command()
@click.argument("net")
@state_options("TRAIN")
@weights_option
@click.option("--samples", type=click.IntRange(1), default=20, show_default=True,
              help="Coordinates to check in each param and input.")
@click.option("--tolerance", type=float, default=1e-4, show_default=True, help="Largest relative error allowed.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of fillers, dropout and samples.")
@click.pass_context
def command(ctx: click.Context, net: str, phase: str, level: int | None, stages: tuple[str, ...], weights: str | None,
            samples: int, tolerance: float, seed: int) -> None:
    """Check the gradients of NET against central differences, in float64 and on its own data.

    One row a param and input. Points where a layer has a kink (a ReLU at 0, a tie in a max pool) have no gradient;
    they are left out and counted. Exit status 0 if all agree, 1 if not.
    """
    from netdef.debug.check import check

    report = check(net, phase.upper(), weights, samples, tolerance, seed, level, stages)
    click.echo(report)
    click.echo("all gradients agree" if report.ok else "backward is WRONG for the rows marked so")
    ctx.exit(0 if report.ok else 1)
