"""``netdef invert``: an input that gives a wanted output."""
from __future__ import annotations

from typing import Any

import click

from netdef.cli.inputs import Numbers
from netdef.cli.probed import probe_options


@click.command()
@click.argument("net")
@click.option("--target", metavar="WHAT", default=None,
              help="What is wanted: class=3 (or a name with --labels); BLOB=0.1,0.9 or BLOB=FILE.npy, a blob's values; "
                   "BLOB=PICTURE, the values that it has for a picture.")
@click.option("--blob", metavar="NAME", default=None, help="The blob of --unit.  [default: the net's output]")
@click.option("--unit", metavar="C[,Y,X]", default=None, help="Make this unit of the blob as large as it gets.")
@click.option("--method", type=click.Choice(["gradient", "exact"]), default="gradient", show_default=True,
              help="Search, or undo layer by layer.")
@click.option("--out", metavar="FILE", required=True, help="The input: .png (8 bits), .npy, or .npz with the outputs.")
@click.option("--animate", metavar="FILE.gif", default=None, help="The way of a search as an animated picture.")
@click.option("--start", metavar="WHERE", default="noise", show_default=True,
              help="Where a search begins: noise, zeros (the net's 0), gray, a picture or an .npy file.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the noise.")
@click.option("--iterations", type=click.IntRange(0), default=300, show_default=True, help="Steps of a search at most.")
@click.option("--tolerance", type=click.FloatRange(0), default=1e-3, show_default=True,
              help="Residual at which a search ends: 1 - p of a class, relative distance of values. 0: never.")
@click.option("--rule", type=click.Choice(["adam", "normalized"]), default="adam", show_default=True, help="How steps are made.")
@click.option("--rate", type=float, default=0.05, show_default=True, help="Length of a step; black to white is 1.")
@click.option("--l2", type=click.FloatRange(0), default=0.0, help="Weight of the squared values.")
@click.option("--tv", type=click.FloatRange(0), default=0.0, help="Weight of the total variation.")
@click.option("--blur", type=click.FloatRange(0), default=0.0, help="Smooth every tenth step by so many pixels, fading to 0.")
@click.option("--jitter", type=click.IntRange(0), default=0, help="Shift the picture at random by so many pixels a step.")
@click.option("--no-box", is_flag=True, help="Let values leave the range of pixels.")
@click.option("--range", "limits", type=Numbers(), default=None, metavar="LOW,HIGH", help="Range of an input that is no picture.")
@click.option("--clip", type=click.FloatRange(0, 0.5), default=0.0,
              help="For exact: move values that a layer cannot give so far into its range, as a part of it.")
@click.option("--constant", type=float, default=0.0, help="For exact: the mean of the scores below a Softmax.")
@probe_options
def command(net: str, **given: Any) -> None:
    """Find an input for which the trained NET gives a wanted output, and write it to a file.

    By gradient any net can be asked, from any start, with priors against noise (--tv, --l2, --blur, --jitter). With --method
    exact the output is taken back layer by layer, by inverse functions and least squares; layers that lose what went in
    (max pooling, LRN) refuse. The residual |f(x) - wanted| is printed, and that of the 8-bit picture.

    \b
    Examples:
      netdef invert builtin:lenet -w lenet.caffemodel --target class=3 --start zeros --tv 5 --out three.png
      netdef invert builtin:lenet -w lenet.caffemodel --target pool2=seven.png --tv 0.1 --out again.png --animate way.gif
      netdef invert net.yaml -w net.caffemodel --blob conv2 --unit 7 --blur 1 --jitter 2 --out unit7.png
      netdef invert mlp.yaml -w mlp.caffemodel --method exact --target prob=0.1,0.2,0.7 --out x.npy
    """
    from netdef.cli import inverted

    inverted.run(net, given)
