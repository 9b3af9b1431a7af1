"""``netdef data show``: a contact sheet of what a net sees."""
from __future__ import annotations

import click

from netdef.cli.options import dialect_option, set_option, state_options


@click.command()
@click.argument("net")
@click.argument("out", default="sheet.png")
@state_options("TRAIN")
@click.option("--layer", default=None, metavar="NAME", help="Which data layer. [default: the first with pictures]")
@click.option("--count", type=click.IntRange(min=1), default=64, show_default=True, help="How many items.")
@click.option("--add-mean", is_flag=True, help="Undo scale and mean, so that colours are those of the pictures.")
@click.option("--rgb", is_flag=True, help="Three channels are red, green, blue and not blue, green, red.")
@click.option("--labels", default=None, metavar="FILE", help="The names of the classes. [default: those beside the database]")
@click.option("--seed", type=int, default=None, help="Seed of random crops and flips.")
@dialect_option
@set_option
def command(net: str, out: str, phase: str, level: int | None, stages: tuple[str, ...], layer: str | None, count: int,
            add_mean: bool, rgb: bool, labels: str | None, seed: int | None, dialect: str | None,
            overrides: tuple[str, ...]) -> None:
    """Draw into OUT (sheet.png) what NET, or the net of a solver, gets from its data layer: cropped, mirrored, mean
    subtracted, with labels. Values are stretched to black and white where they are no bytes.

    \b
    Examples:
      netdef data show net.yaml
      netdef data show net.yaml test.png --phase TEST --add-mean
    """
    from netdef.cli.options import net_of
    from netdef.data.labels import read_labels
    from netdef.datasets.sheet import draw_sheet
    from netdef.datasets.show import open_net, seen_by

    names = read_labels(labels) if labels is not None else None
    with open_net(net_of(net, dialect), phase.upper(), level, stages, overrides, seed) as opened:
        seen = seen_by(opened, count, layer, names, add_mean)
    draw_sheet(seen.tiles, out, seen.text, rgb)
    click.echo(f"wrote {out}: {len(seen.tiles)} items of {seen.text}")
