"""``netdef field``: receptive fields."""
from __future__ import annotations

import click

from netdef.cli.options import assume_option, assumed_shapes, assumptions_are_usage, weight_files, weights_option


@click.command()
@click.argument("net")
@click.argument("unit", required=False, metavar="[BLOB[,Y,X]]")
@click.option("--by", metavar="INPUT", default=None, help="The input to look at, where there are several.")
@click.option("--out", metavar="FILE.png", default=None,
              help="Draw what the unit reads; with --effective, and beside it what moves it.")
@click.option("--effective", is_flag=True, help="The field in effect: the mean gradient of the unit over random inputs.")
@click.option("--samples", type=click.IntRange(1), default=32, show_default=True, help="For --effective: random inputs.")
@click.option("--seed", type=int, default=0, show_default=True, help="For --effective: seed of the inputs.")
@weights_option
@assume_option
def command(net: str, unit: str | None, by: str | None, out: str | None, effective: bool, samples: int, seed: int,
            weights: str | None, assumed: tuple[str, ...]) -> None:
    """Say which part of the input the units of a NET see; no weights are needed.

    Without a unit a table of all blobs: how many input pixels a unit reads (size), how far apart those of neighbours are
    (jump), and where those of the first unit begin (start; below 0 is padding). With BLOB, BLOB,Y,X or BLOB,C,Y,X the exact
    pixels of one unit, by default the one in the middle: borders, gaps of dilated windows and all branches considered.

    \b
    Examples:
      netdef field builtin:googlenet
      netdef field builtin:lenet conv2,0,0 --out field.png
      netdef field builtin:lenet pool2 -w lenet.caffemodel --effective --out field.png
    """
    from netdef.cli import fielded
    from netdef.probe.field import Fields

    if unit is None and (out or effective):
        raise click.UsageError("--out and --effective are about one unit: name a blob")
    with assumptions_are_usage():
        fields = Fields(net, by, assumed_shapes(assumed) or None)
    if unit is None:
        click.echo(str(fields))
        return
    fielded.show(net, fields, unit, out, (samples, seed, weight_files(weights), assumed_shapes(assumed)) if effective else None)
