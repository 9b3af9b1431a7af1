"""``netdef time``: where the time goes."""
from __future__ import annotations

import json

import click

from netdef.cli.options import dialect_option, set_option, state_options, weights_option


@click.command()
@click.argument("net")
@state_options("TRAIN")
@weights_option
@click.option("--iterations", "-n", type=click.IntRange(1), default=50, show_default=True,
              help="Passes to time (Caffe's default, too).")
@click.option("--forward-only", is_flag=True, help="No backward passes.")
@click.option("--parts", is_flag=True, help="Time layers one by one also where several run as one.")
@click.option("--kernels", is_flag=True, help="Say which kernels each layer ran.")
@click.option("--json", "as_json", is_flag=True, help="The times as JSON.")
@dialect_option
@set_option
def command(net: str, phase: str, level: int | None, stages: tuple[str, ...], weights: str | None, iterations: int,
            forward_only: bool, parts: bool, kernels: bool, as_json: bool, dialect: str | None,
            overrides: tuple[str, ...]) -> None:
    """Time every layer of NET, forward and backward, over its own data.

    A first pass, which compiles kernels, does not count. GFLOP/s are two operations for each multiply-add of the formula,
    by the fastest pass: a kernel that gets by with fewer (Winograd) can exceed what the processor does.

    \b
    Examples:
      netdef time configs/lenet/net.prototxt --kernels
      netdef --threads 1 time builtin:resnet50 -n 5 --set layer.data.dummy_data_param.shape.0.dim.0=8
    """
    from netdef.cli.options import net_of, weights_of
    from netdef.debug.timing import time_net
    from netdef.graph.build import build
    from netdef.runtime.net import Net

    keep = "all" if parts else "outputs"
    plan = build(net_of(net, dialect), phase.upper(), level, stages, overrides=overrides)
    with Net(plan, phase=phase.upper(), weights=weights_of(net, weights), keep=keep) as made:
        times = time_net(made, iterations, not forward_only, parts)
    click.echo(json.dumps(times.as_dict(), indent=2) if as_json else times.render(kernels))
