"""``netdef predict``: what a trained net says of pictures and numbers."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from netdef.cli.inputs import input_options
from netdef.cli.options import assume_option, dialect_option, weights_option

if TYPE_CHECKING:
    from netdef.cli.inputs import Reader
    from netdef.predict import Predictor


@click.command()
@click.argument("net")
@click.argument("pictures", nargs=-1)
@weights_option
@click.option("--labels", metavar="FILE", default=None, help="Names of the classes, one a line (synset_words.txt).")
@click.option("--task", type=click.Choice(["classify", "detect", "regress", "raw"]), default=None,
              help="What the outputs mean.  [default: by the layers that make them]")
@click.option("--output", metavar="BLOB", default=None, help="A blob to show in place of the net's outputs.")
@click.option("--decode", metavar="RULE", default=None,
              help="Which classes count: top=3, threshold=0.5 or cumulative=0.95 (as many as make up that share), or "
                   "several with commas.  [default: top=5; 0.5 for boxes and for a Sigmoid]")
@click.option("--format", "form", type=click.Choice(["table", "json", "jsonl"]), default="table", show_default=True,
              help="A table, one JSON list, or a JSON object a line as the answers come.")
@click.option("--annotate", metavar="FILE|FOLDER", default=None,
              help="Draw the answer into a copy of the picture; of several pictures into a folder.")
@click.option("--steps", is_flag=True, help="Write out the pass of one small input, number by number.")
@click.option("--limit", type=click.IntRange(1), default=12, show_default=True, help="For --steps: values and terms a layer.")
@click.option("--show-preprocessing", is_flag=True, help="Print what is done to pictures, and where that comes from.")
@click.option("--save-preprocessing", metavar="FILE", default=None, help="Write it to a YAML file.")
@assume_option
@dialect_option
@input_options
def command(net: str, pictures: tuple[str, ...], **given: Any) -> None:
    """Say what the trained NET makes of PICTURES (files or folders), or of numbers.

    NET is a deploy net, a train net, or a .caffemodel that holds one. What is done to pictures comes from the
    options, else from --preprocessing, --like, a preprocessing.yaml beside the weights or the net, or the net's data layer.
    With - in place of pictures, lines of CSV or JSON are read from a pipe.

    \b
    Examples:
      netdef predict deploy.prototxt -w lenet.caffemodel --scale 0.00390625 seven.png
      netdef predict deploy.prototxt -w a.caffemodel --like train_val.prototxt --labels synset_words.txt cats/
      netdef predict ssd.prototxt -w ssd.caffemodel --mean 104,117,123 street.jpg --annotate boxes.png
      netdef predict net.yaml -w net.caffemodel --input x=0.3,0.5 --steps
    """
    from netdef.cli.inputs import preprocessing_of, reader_of
    from netdef.cli.options import assumed_shapes, assumptions_are_usage, net_of, weight_files
    from netdef.config.load import load_net
    from netdef.predict.opening import files_of

    weights = files_of(net, weight_files(given.pop("weights")))
    located = load_net(net_of(net, given["dialect"]))
    preprocessing = preprocessing_of(located, weights, given)
    reader = reader_of(pictures, given)
    if given["show_preprocessing"]:
        click.echo(str(preprocessing).rstrip())
    if given["save_preprocessing"]:
        preprocessing.save(given["save_preprocessing"])
    if reader is None and not pictures:
        if given["show_preprocessing"] or given["save_preprocessing"]:
            return
        raise click.UsageError("nothing to look at: give pictures, --input, --csv, --npz, or - for lines from a pipe")
    from netdef.predict import Predictor

    with assumptions_are_usage():
        predictor = Predictor(located, weights, preprocessing, given["labels"], given["task"], given["output"],
                              given["decode"], given["batch"], "all" if given["steps"] else None,
                              assumed_shapes(given["assumed"]))
    _run(predictor, pictures, reader, given)


def _run(predictor: Predictor, pictures: tuple[str, ...], reader: Reader | None, given: dict[str, Any]) -> None:
    from netdef.cli import predicted
    from netdef.predict.rows import read_typed

    predictor.fix(**read_typed(given["fixed"], predictor.inputs))
    items = predictor.items(pictures) if reader is None else reader(predictor.inputs)
    if given["steps"]:
        predicted.show_steps(predictor, items, given["limit"])
        return
    target = None
    if given["annotate"]:
        if reader is not None:
            raise click.UsageError("--annotate draws into pictures, and none is given")
        target = predicted.target_of(given["annotate"], pictures)
    predicted.show(predictor, items, given["form"], target)
