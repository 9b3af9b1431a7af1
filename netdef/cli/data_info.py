"""``netdef data info``: what a data set is."""
from __future__ import annotations

import json

import click

from netdef.cli.data_shown import Counting, gray_option, json_option


@click.command()
@click.argument("source")
@click.option("--picture", default=None, metavar="FILE.png", help="Draw the first records.")
@click.option("--count", type=click.IntRange(min=1), default=64, show_default=True, help="How many of them.")
@click.option("--limit", type=click.IntRange(min=1), default=None, metavar="N", help="Look at the first N records only.")
@click.option("--rgb", is_flag=True, help="Draw three channels as red, green, blue.")
@gray_option
@json_option
def command(source: str, picture: str | None, count: int, limit: int | None, rgb: bool, gray: bool, as_json: bool) -> None:
    """Count, shapes, classes, values and storage of SOURCE. What cannot be read is listed.

    \b
    Examples:
      netdef data info train_lmdb --picture first.png
      netdef data info pets --json
    """
    from netdef.datasets.info import describe, first_tiles
    from netdef.datasets.reading import open_records

    records = open_records(source, gray)
    try:
        with Counting("read") as told:
            info = describe(records, limit, gray, told=told)
        click.echo(json.dumps(info.as_dict(), indent=2) if as_json else str(info))
        if picture is not None:
            from netdef.datasets.sheet import draw_sheet

            draw_sheet(first_tiles(records, count, gray), picture, f"{records.name}: the first of {len(records):,}",
                       rgb or info.order.startswith("red"))
            click.echo(f"wrote {picture}", err=as_json)
    finally:
        records.close()
