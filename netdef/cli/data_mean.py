"""``netdef data mean``: the mean picture of a data set."""
from __future__ import annotations

import click

from netdef.cli.data_shown import Counting, gray_option


@click.command()
@click.argument("source")
@click.argument("out", required=False)
@gray_option
def command(source: str, out: str | None, gray: bool) -> None:
    """Write the mean of all pictures of SOURCE to OUT (.binaryproto, for mean_file, or .npy), and print each channel's mean.

    Without OUT only the means are printed. Pictures must have one size.

    \b
    Example:
      netdef data mean train_lmdb mean.binaryproto
    """
    from netdef.datasets.mean import check_ending, mean_of, write_mean
    from netdef.datasets.reading import open_records

    if out is not None:
        check_ending(out)
    records = open_records(source, gray)
    try:
        with Counting("read") as told:
            mean = mean_of(records, gray, told=told)
    finally:
        records.close()
    if out is not None:
        write_mean(mean, out)
        click.echo(f"wrote {out}: {'x'.join(map(str, mean.shape))}, the mean of {len(records):,} records")
    channels = mean.mean((1, 2), dtype=float)
    for i, value in enumerate(channels):
        click.echo(f"mean_value channel [{i}]: {value:.4f}")
    click.echo("transform_param { " + " ".join(f"mean_value: {value:.4f}" for value in channels) + " }")
