"""``netdef summary``: a net at a glance."""
from __future__ import annotations

import click

from netdef.cli.options import set_option, state_options


@click.command()
@click.argument("net")
@state_options("TRAIN")
@set_option
def command(net: str, phase: str, level: int | None, stages: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Layers, shapes, params, multiply-adds and memory of NET: a prototxt, a YAML file, or a .caffemodel with
    the net inside."""
    from netdef.graph.build import build
    from netdef.graph.render import render_summary

    click.echo(render_summary(build(net, phase.upper(), level, stages, overrides=overrides)))
