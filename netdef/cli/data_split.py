"""``netdef data split``: a data set in parts."""
from __future__ import annotations

import click

from netdef.cli.data_shown import gray_option, job_options, kind_option, run_copy, size_option, written


@click.command()
@click.argument("source")
@click.option("--into", required=True, metavar="NAME=SHARE,...",
              help="The parts and their shares, or numbers of records; a NAME is the path of what is written.")
@click.option("--stratify", is_flag=True, help="Every part gets its share of each class.")
@click.option("--shuffle", is_flag=True, help="Mix the records too; without it they keep their order within a part.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which records go where.")
@kind_option
@size_option
@gray_option
@job_options
def command(source: str, into: str, stratify: bool, shuffle: bool, seed: int, kind: str | None, size: tuple[int, int] | None,
            gray: bool, resume: bool, force: bool, skip_bad: bool) -> None:
    """Divide SOURCE at random into parts that have no record in common.

    The same seed gives the same parts. All parts are whole before the first one gets its name.

    \b
    Examples:
      netdef data split pets --into train=0.8,val=0.2 --stratify --seed 1
      netdef data split all_lmdb --into train_lmdb=50000,val_lmdb=10000
    """
    from netdef.datasets.copying import Prepare
    from netdef.datasets.making import open_split

    records, targets, which, prepare = open_split(source, into, kind, Prepare(size, gray), stratify=stratify, shuffle=shuffle,
                                                  seed=seed, resume=resume, force=force, skip_bad=skip_bad)
    written(run_copy(records, targets, prepare, skip_bad, which), targets)
