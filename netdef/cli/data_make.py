"""``netdef data make``: a database from files of many kinds."""
from __future__ import annotations

import click

from netdef.cli.data_shown import gray_option, job_options, kind_option, run_copy, size_option, written


@click.command()
@click.argument("out")
@click.option("--from", "source", required=True, metavar="SOURCE", help="Where the records come from.")
@kind_option
@size_option
@gray_option
@click.option("--encoded", type=click.Choice(["png", "jpg", "same"]), default=None,
              help="Store pictures as such files and not as pixels; files of that kind that need no change stay as they are.")
@click.option("--shuffle", is_flag=True, help="Mix the records; Data layers read a database in its order.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which mixture.")
@click.option("--root", default=None, metavar="FOLDER", help="Where the pictures of a list lie. [default: beside the list]")
@click.option("--classes", default=None, metavar="FILE", help="The names of the classes, in their order.")
@click.option("--part", default=None, metavar="NAME", help="Which part of VOC's or CIFAR's folder: train, val, test, ...")
@click.option("--label", default=None, metavar="NAME", help="The column of a table, or array of an .npz, with the labels.")
@click.option("--shape", default=None, metavar="CxHxW", help="What a row of a table is.")
@click.option("--limit", type=click.IntRange(min=1), default=None, metavar="N", help="Only the first N (after --shuffle).")
@job_options
def command(out: str, source: str, kind: str | None, size: tuple[int, int] | None, gray: bool, encoded: str | None,
            shuffle: bool, seed: int, root: str | None, classes: str | None, part: str | None, label: str | None,
            shape: str | None, limit: int | None, resume: bool, force: bool, skip_bad: bool) -> None:
    """Make the database OUT: an LMDB with the records of Caffe's convert_imageset, or what --as says.

    Pictures are in colour (blue, green, red) unless --gray. Nothing stands under the name OUT until all of it is there; what
    was done by a run that ended early lies in .OUT.partial, and --resume goes on with it.

    \b
    Examples:
      netdef data make pets_lmdb --from pets --resize 227x227 --shuffle
      netdef data make train_lmdb --from train.txt --root images --encoded jpg
      netdef data make mnist_lmdb --from train-images-idx3-ubyte.gz
      netdef data make iris.h5 --from iris.csv --label species
      netdef data make cells_lmdb --from BCCD --part train --encoded same
    """
    from netdef.datasets.copying import Prepare
    from netdef.datasets.making import open_job

    options = {"root": root, "classes": classes, "split": part, "label": label, "shape": shape}
    prepare = Prepare(size, gray, encoded)
    job = open_job(source, options, out, kind, prepare, shuffle=shuffle, seed=seed, limit=limit, resume=resume, force=force,
                   skip_bad=skip_bad)
    written(run_copy(job.records, [job.target], job.prepare, skip_bad), [job.target])
    click.echo(f"next: netdef data info {out}")
