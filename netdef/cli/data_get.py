"""``netdef data get``: a published data set, checked, as databases."""
from __future__ import annotations

from pathlib import Path

import click

from netdef.cli.data_shown import Counting, job_options, run_copy, written

NAMES = ("mnist", "fashion-mnist", "cifar10")


@click.command()
@click.argument("name", type=click.Choice(NAMES))
@click.argument("out", required=False, type=click.Path(path_type=Path))
@click.option("--from", "folder", default=None, metavar="FOLDER", help="Where the files are already; nothing is downloaded.")
@click.option("--mirror", "mirrors", multiple=True, metavar="URL", help="Download from here; may be given several times.")
@job_options
def command(name: str, out: Path | None, folder: str | None, mirrors: tuple[str, ...], resume: bool, force: bool,
            skip_bad: bool) -> None:
    """Get NAME and make the LMDBs OUT/train and OUT/test (OUT is NAME by default).

    Files come from FOLDER, or from a package of the distribution where it is installed, or are downloaded into
    OUT/downloads; broken downloads go on where they ended. Every file is compared with its SHA-256, wherever it came from.

    \b
    Examples:
      netdef data get fashion-mnist
      netdef data get mnist --from ~/Downloads
    """
    from netdef.datasets.copying import Prepare
    from netdef.datasets.fetch import locate
    from netdef.datasets.making import open_job
    from netdef.datasets.published import PUBLISHED
    from netdef.datasets.target import check_free

    data, home = PUBLISHED[name], out or Path(name)
    for part in () if resume else data.parts:
        check_free(home / part, "lmdb", force)  # before anything is downloaded
    with Counting("downloaded") as told:
        sources = locate(data, folder, home / "downloads", mirrors,
                         lambda file, done, total: told(done, total, f"bytes of {file}"))
    home.mkdir(parents=True, exist_ok=True)
    for part, source in sources.items():
        if resume and (home / part).exists():
            click.echo(f"{home / part} is there already")
            continue
        job = open_job(source, {}, home / part, "lmdb", Prepare(), resume=resume, force=force)
        job.records.classes = data.classes
        written(run_copy(job.records, [job.target], job.prepare, skip_bad), [job.target])
    click.echo(f"{data.title}; licence: {data.licence}")
    click.echo(f"next: {data.advice.format(out=home)}")
