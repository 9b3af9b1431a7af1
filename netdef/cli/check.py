"""``netdef check``: are the gradients right?"""
from __future__ import annotations

import json
from pathlib import Path

import click

from netdef.cli.options import dialect_option, state_options, weights_option


@click.command()
@click.argument("net")
@state_options("TRAIN")
@weights_option
@click.option("--samples", type=click.IntRange(1), default=20, show_default=True,
              help="Coordinates to check in each param and input where directions do not settle it.")
@click.option("--tolerance", type=float, default=1e-4, show_default=True, help="Largest relative error allowed.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of fillers, dropout and samples.")
@click.option("--from", "start", metavar="BLOB", default=None,
              help="Put a seeded random gradient into this blob and follow it down.")
@click.option("--case", "case_file", type=click.Path(path_type=Path, dir_okay=False), default=None,
              help="Where the smallest failing case goes.")
@click.option("--no-float32", is_flag=True, help="Leave out the comparison of the float32 pass.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@dialect_option
@click.pass_context
def command(ctx: click.Context, net: str, phase: str, level: int | None, stages: tuple[str, ...], weights: str | None,
            samples: int, tolerance: float, seed: int, start: str | None, case_file: Path | None, no_float32: bool,
            as_json: bool, dialect: str | None) -> None:
    """Check the gradients of NET against central differences, in float64 and on its own data.

    One row a param and input. Points where a layer has a kink (a ReLU at 0, a tie in a max pool) have no gradient;
    they are left out and counted. If something is wrong, every layer is checked alone: the report names the layer, the
    right number and the likely mistake. A deploy net, without a loss, gets random gradients in its outputs. NET may also
    be a case written by --case, which is replayed. Exit status 0 if all agree, 1 if not.
    """
    from netdef.cli.options import net_of, weights_of
    from netdef.debug.netcheck import check
    from netdef.debug.replay import is_case, replay

    if is_case(net):
        found = replay(Path(net), tolerance=tolerance)
        click.echo("\n".join(map(str, found)) or "the gradients of this case agree")
        ctx.exit(1 if found else 0)
    report = check(net_of(net, dialect), phase.upper(), weights_of(net, weights), samples, tolerance, seed, level,
                   stages, start, not no_float32, case_file)
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2))
    else:
        click.echo(report)
        click.echo("all gradients agree" if report.ok else "gradients are WRONG where marked so")
    ctx.exit(0 if report.ok else 1)
