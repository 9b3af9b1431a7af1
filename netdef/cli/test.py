"""``netdef test``: the outputs of a net over its test data."""
from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netdef.cli.options import dialect_option, seed_option, state_options, weights_option

if TYPE_CHECKING:
    from netdef.solvers.events import Output


@click.command()
@click.argument("net")
@state_options("TEST")
@weights_option
@click.option("--iterations", "-n", type=click.IntRange(1), default=50, show_default=True,
              help="Batches to run (Caffe's default, too).")
@click.option("--batches/--no-batches", default=True, show_default=True, help="Print the outputs of every batch, as Caffe does.")
@click.option("--labels", metavar="FILE", default=None, help="Names of the classes, for the table by class.")
@dialect_option
@seed_option
def command(net: str, phase: str, level: int | None, stages: tuple[str, ...], weights: str | None, iterations: int,
            batches: bool, labels: str | None, dialect: str | None, seed: int | None) -> None:
    """Run NET forward over its own data and print the mean of each output.

    The lines are those of `caffe test`. An Accuracy layer with a second top gets a table of its classes, counted over all
    items; a DetectionEvaluate layer gets the average precision of each class.

    \b
    Example:
      netdef test configs/lenet/net.prototxt --weights runs/LeNet/1/LeNet_iter_10000.caffemodel -n 20
    """
    from netdef.cli.options import net_of, weights_of
    from netdef.data.labels import check_count, read_labels
    from netdef.runtime.net import Net
    from netdef.solvers.evaluate import evaluate
    from netdef.solvers.perclass import PerClass

    names = read_labels(labels) if labels is not None else None
    with Net(net_of(net, dialect), phase=phase.upper(), weights=weights_of(net, weights), level=level,
             stages=stages, seed=seed, keep="outputs", freeze=phase.upper() == "TEST") as made:
        by_class = PerClass(made)
        if names is not None:
            for run in made.steps:
                if run.name in by_class.layers:
                    check_count(names, run.tops[1].count, f"the classes of layer '{run.name}'", labels or "")
        with made.hooks.added(parts=False, after_forward=by_class.seen):
            scores = evaluate(made, iterations, lambda: True, _show_batch if batches else None)
        assert scores is not None  # nobody stops it
        if made.plan.losses:
            click.echo(f"Loss: {scores.loss:.6g}")
        for output in scores.outputs:
            weighted = f" (* {output.weight:g} = {output.weight * output.value:.6g} loss)" if output.weight else ""
            click.echo(f"{output.name} = {output.value:.6g}{weighted}")
        for blob in scores.precision.layers:
            click.echo("\n" + scores.precision.text(blob, names))
        for layer in by_class.layers:
            click.echo("\n" + by_class.text(layer, names))


def _show_batch(number: int, outputs: list[Output]) -> None:
    for output in outputs:
        click.echo(f"Batch {number}, {output.name} = {output.value:.6g}")
