"""``netdef saliency``: which pixels of a picture an output depends on."""
from __future__ import annotations

from typing import Any

import click

from netdef.cli.probed import probe_options


@click.command()
@click.argument("net")
@click.argument("pictures", nargs=-1, required=True)
@click.option("--out", metavar="FILE|FOLDER", required=True,
              help="The map: a .png (picture, map, overlay), or .npy or .npz with the numbers; of several pictures a folder.")
@click.option("--class", "wanted", metavar="K", default=None,
              help="The class to explain, a number or a name.  [default: the one that the net gives the picture]")
@click.option("--blob", metavar="NAME", default=None, help="The blob of --unit or --class.  [default: the net's output]")
@click.option("--unit", metavar="C[,Y,X]", default=None, help="Explain this unit of the blob.")
@click.option("--method", "methods", metavar="NAMES", default="gradient", show_default=True,
              help="gradient, input (times gradient), guided, integrated, smooth, occlusion, gradcam; some with commas, or all.")
@click.option("--baseline", type=click.Choice(["zeros", "black", "gray", "white"]), default="zeros", show_default=True,
              help="For integrated and occlusion: the picture of nothing; zeros is the net's 0, or the mean subtracted.")
@click.option("--steps", type=click.IntRange(1), default=64, show_default=True, help="For integrated: gradients on the way.")
@click.option("--samples", type=click.IntRange(1), default=32, show_default=True, help="For smooth: noisy copies.")
@click.option("--noise", type=click.FloatRange(0), default=0.15, show_default=True, help="For smooth: deviation, of the range.")
@click.option("--size", type=click.IntRange(1), default=None, help="For occlusion: side of the square.  [default: a seventh]")
@click.option("--cam-blob", metavar="NAME", default=None, help="For gradcam: the image blob.  [default: the last one]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the noise.")
@probe_options
def command(net: str, pictures: tuple[str, ...], **given: Any) -> None:
    """Show which pixels of PICTURES (files or folders) an output of the trained NET depends on.

    The picture that is written shows what the net saw and, for each method, the map and the map over the picture. Maps of
    input, integrated and occlusion have a sign: red speaks for the class, blue against it. Where a Softmax makes the
    output, the score below it is explained.

    \b
    Examples:
      netdef saliency builtin:lenet -w lenet.caffemodel seven.png --out map.png
      netdef saliency deploy.prototxt -w a.caffemodel cat.jpg --class 281 --method integrated,gradcam --out cat_map.png
      netdef saliency deploy.prototxt -w a.caffemodel cats/ --blob conv5 --unit 17 --method guided --out maps/
    """
    from netdef.cli import explained

    explained.run(net, pictures, given)
