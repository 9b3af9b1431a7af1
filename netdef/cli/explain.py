"""``netdef explain``: any stage of a net's life, printed."""
from __future__ import annotations

import click

from netdef.cli.options import set_option

STAGES = ("tree", "description", "shapes", "plan")

@click.command()
@click.argument("net")
@click.option("--stage", type=click.Choice(STAGES), default="plan", show_default=True,
              help="What to show: the fields as read, the layers kept, the shapes, or the plan.")
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"], case_sensitive=False), default="TRAIN",
              show_default=True, help="Which phase of the net.")
@click.option("--level", type=int, default=None, help="Level for the include and exclude rules.")
@click.option("--net-stage", "stages", multiple=True, help="A stage for the include and exclude rules.")
@set_option
def command(net: str, stage: str, phase: str, level: int | None,
            stages: tuple[str, ...], overrides: tuple[str, ...]) -> None:
    """Show what netdef makes of NET, a prototxt or YAML file.

    The plan answers "what bookkeeping?": the order forward and backward, who makes and who reads every blob, which get
    a gradient, where gradients are added up, and where they stop and why.

    \b
    Examples:
      netdef explain configs/lenet/net.prototxt
      netdef explain configs/lenet/net.prototxt --stage shapes --phase TEST
    """
    from netdef.graph import stages as graph_stages

    click.echo(graph_stages.show(net, stage, phase.upper(), level, stages, overrides))
