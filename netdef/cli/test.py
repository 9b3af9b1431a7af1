"""``netdef test``: the outputs of a net over its test data."""
from __future__ import annotations

import click

from netdef.cli.options import seed_option, state_options, weights_option


@click.command()
@click.argument("net")
@state_options("TEST")
@weights_option
@click.option("--iterations", "-n", type=click.IntRange(1), default=50, show_default=True,
              help="Batches to run (Caffe's default, too).")
@seed_option
def command(net: str, phase: str, level: int | None, stages: tuple[str, ...], weights: str | None, iterations: int,
            seed: int | None) -> None:
    """Run NET forward over its own data and print the mean of each output.

    \b
    Example:
      netdef test configs/lenet/net.prototxt --weights runs/LeNet/1/LeNet_iter_10000.caffemodel -n 20
    """
    from netdef.cli.options import weight_files
    from netdef.runtime.net import Net
    from netdef.solvers.evaluate import evaluate

    with Net(net, phase=phase.upper(), weights=weight_files(weights), level=level, stages=stages, seed=seed) as made:
        scores = evaluate(made, iterations, lambda: True)
        assert scores is not None  # nobody stops it
        for output in scores.outputs:
            click.echo(f"{output.name} = {output.value:.6g}")
        if made.plan.losses:
            click.echo(f"loss = {scores.loss:.6g}")
