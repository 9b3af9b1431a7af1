"""``netdef data check``: what is wrong with a data set."""
from __future__ import annotations

import json

import click

from netdef.cli.data_shown import Counting, gray_option, json_option


@click.command()
@click.argument("source")
@click.argument("other", required=False)
@gray_option
@json_option
@click.pass_context
def command(ctx: click.Context, source: str, other: str | None, gray: bool, as_json: bool) -> None:
    """Look at every record of SOURCE, and of OTHER, which must have nothing in common with it (train and test).

    Errors: records that cannot be read, of another shape than the first, with labels below 0, missing or without a name,
    values that are not finite, the same pixels under two labels, pixels of SOURCE again in OTHER. Notes: copies within a
    set under one label, classes of very different sizes. Exit status 1 if there are errors.

    \b
    Example:
      netdef data check train_lmdb test_lmdb
    """
    from netdef.datasets.check import check
    from netdef.datasets.reading import open_records

    sources = []
    try:
        for name in [source] if other is None else [source, other]:
            sources.append(open_records(name, gray))
        with Counting("checked") as told:
            report = check(sources, gray, told=told)
    finally:
        for records in sources:
            records.close()
    click.echo(json.dumps(report.as_dict(), indent=2) if as_json else str(report))
    ctx.exit(1 if report.wrong else 0)
