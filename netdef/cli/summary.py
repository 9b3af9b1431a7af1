"""``netdef summary``: a net at a glance."""
from __future__ import annotations

from contextlib import suppress

import click

from netdef.cli.options import assume_option, dialect_option, set_option, state_options


@click.command()
@click.argument("net")
@state_options("TRAIN")
@assume_option
@dialect_option
@set_option
def command(net: str, phase: str, level: int | None, stages: tuple[str, ...], assumed: tuple[str, ...],
            dialect: str | None, overrides: tuple[str, ...]) -> None:
    """Layers, shapes, params, multiply-adds and memory of NET: a prototxt, a YAML file, or a .caffemodel with
    the net inside.

    The data need not be here: their shapes then come from crop_size, new_height and batch_size, or from --assume, and
    are marked so.

    \b
    Example:
      netdef summary lenet_iter_10000.caffemodel --phase TEST --assume data=100,1,28,28
    """
    from netdef.cli.options import assumed_shapes, assumptions_are_usage, net_of
    from netdef.config.recognise import recognise
    from netdef.errors import NetdefError
    from netdef.graph.build import build
    from netdef.graph.memorytext import peak_lines
    from netdef.graph.render import render_summary
    from netdef.graph.standin import Assumptions

    assume, source = Assumptions(assumed_shapes(assumed)), net_of(net, dialect)
    with assumptions_are_usage():
        plan = build(source, phase.upper(), level, stages, overrides=overrides, assume=assume)
    click.echo(render_summary(plan, dialect=recognise(plan.description.located, dialect)))
    other = "TEST" if phase.upper() == "TRAIN" else "TRAIN"
    with suppress(NetdefError):  # the other phase may lack its data, or be no net at all
        click.echo("\n".join(peak_lines(build(source, other, level, stages, overrides=overrides, assume=assume))))
