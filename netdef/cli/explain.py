"""``netdef explain``: any stage of a net's life, printed; and where the gradients of one blob or param come from."""
from __future__ import annotations

import click

from netdef.cli.options import assume_option, dialect_option, set_option

STAGES = ("tree", "description", "shapes", "plan")


@click.command()
@click.argument("net")
@click.option("--stage", type=click.Choice(STAGES), default=None,
              help="What to show: the fields as read, the layers kept, the shapes, or the plan.  [default: plan]")
@click.option("--why", metavar="NAME", default=None,
              help="By which paths a gradient reaches a blob, layer or param (conv1, conv1[0], conv1/weights), and where "
                   "it is stopped and why.")
@click.option("--backward", metavar="NAME", default=None,
              help="The chain rule from the loss to a blob, layer or param, with shapes and formulas.")
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"], case_sensitive=False), default="TRAIN",
              show_default=True, help="Which phase of the net.")
@click.option("--level", type=int, default=None, help="Level for the include and exclude rules.")
@click.option("--net-stage", "stages", multiple=True, help="A stage for the include and exclude rules.")
@assume_option
@dialect_option
@set_option
def command(net: str, stage: str | None, why: str | None, backward: str | None, phase: str, level: int | None,
            stages: tuple[str, ...], assumed: tuple[str, ...], dialect: str | None,
            overrides: tuple[str, ...]) -> None:
    """Show what netdef makes of NET, a prototxt or YAML file; of a recipe, its plan.

    The plan answers "what bookkeeping?": the order forward and backward, who makes and who reads every blob, which get
    a gradient, where gradients are added up, and where they stop and why. --why and --backward answer for one name.
    All work where data or Python modules are missing, those two also where layer types are; they say what they assume.

    \b
    Examples:
      netdef explain configs/lenet/net.prototxt
      netdef explain configs/lenet/net.prototxt --stage shapes --phase TEST
      netdef explain configs/lenet/net.prototxt --why conv1/weights
      netdef explain configs/lenet/net.prototxt --backward conv1
    """
    from netdef.cli.options import assumed_shapes, assumptions_are_usage, net_of
    from netdef.config.load import is_recipe
    from netdef.graph import answers
    from netdef.graph import stages as graph_stages

    if is_recipe(net) and (stage, why, backward) == (None, None, None):
        from netdef.cli import recipe

        return recipe.explain(net, overrides)
    if sum(x is not None for x in (stage, why, backward)) > 1:
        raise click.UsageError("--stage, --why and --backward are different questions: ask one at a time")
    source = net_of(net, dialect)
    state = (phase.upper(), level, stages, overrides, assumed_shapes(assumed))
    with assumptions_are_usage():
        if why is not None:
            click.echo(answers.why_text(source, why, *state))
        elif backward is not None:
            click.echo(answers.chain_text(source, backward, *state))
        else:
            click.echo(graph_stages.show(source, stage or "plan", *state))
