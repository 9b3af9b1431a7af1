"""``netdef data convert``: a data set in another format."""
from __future__ import annotations

import click

from netdef.cli.data_shown import gray_option, job_options, kind_option, run_copy, size_option, written


@click.command()
@click.argument("source")
@click.argument("out")
@kind_option
@size_option
@gray_option
@job_options
def command(source: str, out: str, kind: str | None, size: tuple[int, int] | None, gray: bool, resume: bool, force: bool,
            skip_bad: bool) -> None:
    """Write SOURCE as OUT: LMDB, HDF5, .npz, a folder of pictures for each class, or IDX.

    The name says which: ...lmdb, .h5, .npz, ...folder, ...-ubyte; or --as. Records of a database go into another one as they
    are, encoded pictures too. A LevelDB is read and not written.

    \b
    Examples:
      netdef data convert builtin:mnist10k/train digits-folder
      netdef data convert old_leveldb new_lmdb
      netdef data convert train_lmdb train.npz
    """
    from netdef.datasets.copying import Prepare
    from netdef.datasets.making import open_job

    job = open_job(source, {}, out, kind, Prepare(size, gray), resume=resume, force=force, skip_bad=skip_bad)
    written(run_copy(job.records, [job.target], job.prepare, skip_bad), [job.target])
