"""``netdef draw``: a picture of a net."""
from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netdef.cli.options import assume_option, dialect_option, set_option, state_options

if TYPE_CHECKING:
    from netdef.graph.build import Survey


@click.command()
@click.argument("net")
@click.option("--out", "-o", metavar="FILE", default=None,
              help="Where the picture goes: .svg, .png (needs matplotlib), or .dot for Graphviz; - prints the SVG.  "
                   "[default: the net's file name with .svg, in this folder]")
@click.option("--rankdir", type=click.Choice(["tb", "lr"], case_sensitive=False), default="tb", show_default=True,
              help="From the top to the bottom, or from the left to the right.")
@click.option("--no-shapes", is_flag=True, help="Leave out the shapes of blobs.")
@click.option("--costs", is_flag=True, help="Write numbers of params and multiply-adds into the boxes.")
@click.option("--in-place", type=click.Choice(["stacked", "apart"]), default="stacked", show_default=True,
              help="Draw an in-place layer within the box of the layer that it works on, or as a box of its own.")
@click.option("--splits", is_flag=True, help="Draw the Split layers that Caffe inserts where a blob has several readers, or "
              "has written into a saved net.")
@state_options("TRAIN")
@assume_option
@dialect_option
@set_option
@click.pass_context
def command(ctx: click.Context, net: str, out: str | None, rankdir: str, no_shapes: bool, costs: bool, in_place: str,
            splits: bool, phase: str, level: int | None, stages: tuple[str, ...], assumed: tuple[str, ...], dialect: str | None,
            overrides: tuple[str, ...]) -> None:
    """Draw NET: a prototxt, a YAML file, or a .caffemodel with the net inside.

    Boxes are layers, arrows are blobs; an arrow is dashed where no gradient comes back along it, and orange where one
    that something below could use stops. Point at a box or an arrow of an SVG to read all about it, the reason too. A bar
    shows a box's share of the multiply-adds.

    The data need not be here, and types may be unknown. Without --phase, a net that is whole only in the TEST phase is
    drawn in that.

    \b
    Examples:
      netdef draw configs/googlenet/net.prototxt --costs
      netdef draw builtin:lenet --phase TEST --rankdir lr --out lenet.png
      netdef draw deploy.prototxt --assume data=1,3,224,224 --out - > deploy.svg
    """
    from netdef.cli.options import net_of
    from netdef.report.boxes import Look
    from netdef.report.drawing import check_name, write_drawing
    from netdef.report.netgraph import graph_of
    from netdef.report.scene import scene_of
    from netdef.report.svg import svg_of

    path = Path(out) if out is not None else Path(_name_of(net) + ".svg")
    if out != "-":
        check_name(path)
    asked = ctx.get_parameter_source("phase") is not click.core.ParameterSource.DEFAULT
    found = _found(net_of(net, dialect), phase.upper() if asked else None, level, stages, overrides, assumed)
    if found.set_aside:
        n = len(found.set_aside)
        click.echo(f"drawn with {n} mistake{'' if n == 1 else 's'} set aside (`netdef explain` shows all), the first:\n"
                   f"{found.set_aside[0]}", err=True)
    graph = graph_of(found.plan, in_place == "stacked", splits)
    look = Look(rankdir.lower(), not no_shapes, costs)
    if out == "-":
        click.echo(svg_of(scene_of(graph, look)), nl=False)
        return
    write_drawing(graph, path, look)
    click.echo(f"wrote {path}: {sum(p.index >= 0 for p in graph.parts())} layers, phase {graph.state.phase}")


def _found(source: Any, phase: str | None, level: int | None, stages: tuple[str, ...], overrides: tuple[str, ...],
           assumed: tuple[str, ...]) -> Survey:
    """What there is to draw; where no phase was asked for and TRAIN is no whole net, its TEST phase."""
    from netdef.cli.options import assumed_shapes, assumptions_are_usage
    from netdef.errors import NetdefError
    from netdef.report.drawing import plan_to_draw

    rest = (level, stages, overrides, assumed_shapes(assumed))
    with assumptions_are_usage():
        try:
            return plan_to_draw(source, phase or "TRAIN", *rest)
        except NetdefError:
            if phase is not None:
                raise
            with suppress(NetdefError):
                return plan_to_draw(source, "TEST", *rest)
            raise


def _name_of(net: str) -> str:
    """The file's name without folders and ending; of ``builtin:lenet`` the part behind the colon."""
    name = net.replace("\\", "/").rpartition("/")[2].rpartition(":")[2]
    return name.rpartition(".")[0] or name or "net"
