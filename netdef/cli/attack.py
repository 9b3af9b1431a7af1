"""``netdef attack``: adversarial pictures."""
from __future__ import annotations

from typing import Any

import click

from netdef.cli.probed import probe_options


@click.command()
@click.argument("net")
@click.argument("pictures", nargs=-1)
@click.option("--count", "-n", type=click.IntRange(1), default=None,
              help="Attack so many records of the net's own test data, in place of pictures.")
@click.option("--class", "right", metavar="K", default=None,
              help="The class that the pictures are of.  [default: the one that the net gives each]")
@click.option("--target", metavar="K", default=None, help="The class to be taken for.  [default: any other]")
@click.option("--method", type=click.Choice(["fgsm", "pgd"]), default="pgd", show_default=True, help="One step, or many.")
@click.option("--norm", type=click.Choice(["linf", "l2"]), default="linf", show_default=True,
              help="What eps limits: the change of each pixel, or the length of all changes.")
@click.option("--eps", type=click.FloatRange(0), default=8.0, show_default=True,
              help="In pixels from 0 to 255 (for inputs that are no pictures 255 is 1).")
@click.option("--steps", type=click.IntRange(1), default=20, show_default=True, help="Steps of PGD.")
@click.option("--step", type=float, default=None, help="Length of a step of PGD, in pixels.  [default: 2.5 eps / steps]")
@click.option("--no-random", is_flag=True, help="PGD begins at the picture, and not at a random place near it.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random place.")
@click.option("--blob", metavar="NAME", default=None, help="The blob with the scores.  [default: the net's output]")
@click.option("--out", metavar="FILE|FOLDER", default=None,
              help="Write the changed picture (.png), and beside it NAME_change.png, the change alone; of several a folder.")
@probe_options
def command(net: str, pictures: tuple[str, ...], **given: Any) -> None:
    """Change PICTURES (files or folders), or the net's own test data, by at most --eps so that the NET errs.

    Prints what the net says before and after, and how many of the pictures that it knew it knows no longer. The changed
    pictures are whole pixels from 0 to 255, at the size of the net's input; written ones are read again and asked about
    again, so that what is said holds for the files.

    \b
    Examples:
      netdef attack builtin:lenet -w lenet.caffemodel --count 200 --eps 32
      netdef attack builtin:lenet -w lenet.caffemodel seven.png --eps 48 --target 3 --out three.png
      netdef attack deploy.prototxt -w a.caffemodel cats/ --method fgsm --eps 2 --out fooled/
    """
    from netdef.cli import attacked

    attacked.run(net, pictures, given)
