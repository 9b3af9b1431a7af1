"""``netdef extract``: the values of any blobs, for many items, in one file."""
from __future__ import annotations

from typing import Any

import click

from netdef.cli.inputs import input_options
from netdef.cli.options import assume_option, dialect_option, weights_option


@click.command()
@click.argument("net")
@click.argument("pictures", nargs=-1)
@weights_option
@click.option("--blob", "blobs", required=True, metavar="NAMES", help="Blobs to keep, with commas: fc7,pool5.")
@click.option("--out", required=True, metavar="FILE", help="The file to write: .npz or .h5.")
@click.option("--count", "-n", type=click.IntRange(1), default=None,
              help="So many records of the net's own data, in place of pictures.")
@click.option("--phase", type=click.Choice(["TRAIN", "TEST"], case_sensitive=False), default="TEST", show_default=True,
              help="For --count: which phase of the net.")
@assume_option
@dialect_option
@input_options
def command(net: str, pictures: tuple[str, ...], **given: Any) -> None:
    """Write the values of blobs of the trained NET for PICTURES (files or folders), or for its own data, to a file.

    The file holds an array (items, ...) for each blob, and beside them files, or labels and records. It appears when it is
    whole, and memory does not grow with the number of items. What is done to pictures is found as in `netdef predict`.

    \b
    Examples:
      netdef extract deploy.prototxt -w caffenet.caffemodel --like train_val.prototxt --blob fc7 cats/ --out cats.npz
      netdef extract configs/lenet/net.prototxt -w lenet.caffemodel --blob ip1 --count 2000 --out digits.h5
    """
    from netdef.cli.extracted import from_items, from_own
    from netdef.cli.inputs import preprocessing_of, reader_of
    from netdef.cli.options import net_of, weight_files
    from netdef.config.load import load_net
    from netdef.predict.opening import files_of

    weights = files_of(net, weight_files(given.pop("weights")))
    located = load_net(net_of(net, given["dialect"]))
    names = [b.strip() for b in given.pop("blobs").split(",") if b.strip()]
    reader = reader_of(pictures, given)
    if (reader is not None or bool(pictures)) == (given["count"] is not None):
        raise click.UsageError("give pictures, --input, --csv or --npz, or --count N for the net's own data")
    if given["count"] is not None:
        shapes = from_own(located, weights, names, given["count"], given["phase"].upper(), given["out"])
    else:
        shapes = from_items(located, weights, names, pictures, reader, preprocessing_of(located, weights, given), given)
    for name, shape in shapes.items():
        click.echo(f"{name}  {'x'.join(map(str, shape)) or 'scalar'}")
    click.echo(f"wrote {given['out']}")
