"""``netdef compare``: two runs, two nets, or two solvers."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--tolerance", type=click.FloatRange(0), default=None, metavar="SHARE",
              help="For runs: by what share of the larger one two numbers may differ; by default they must be equal.")
def command(a: str, b: str, tolerance: float | None) -> None:
    """Say where A and B differ: two runs, or two nets or solvers in meaning.

    A run is its directory (runs/LeNet/1), its metrics.jsonl, or a training log, Caffe's or netdef's. Of runs it shows which
    fields of the config differ, the seed, the environment, the first iteration and output where the metrics differ, and
    at the first common snapshot with a difference the first param, each with how much. What only one of them has
    recorded, and the environment, are shown and do not count.

    Nets and solvers are compared as they are understood: notation, order of fields, comments and old spellings do not
    count.

    The exit status is 0 where A and B are the same, 1 where they differ or something is wrong with a file.

    \b
    Examples:
      netdef compare runs/LeNet/1 runs/LeNet/2
      netdef compare caffe.log runs/LeNet/1/metrics.jsonl --tolerance 1e-4
      netdef compare net.prototxt net.yaml
    """
    kinds = [_is_run(path) for path in (a, b)]
    if kinds[0] != kinds[1]:
        run, other = (a, b) if kinds[0] else (b, a)
        raise click.UsageError(f"'{run}' is a run and '{other}' is none: compare two of a kind")
    if kinds[0]:
        from netdef.solvers.rundiff import compare_runs

        text, same = _told(compare_runs(a, b, tolerance or 0.0))
    else:
        from netdef.graph.differences import compare_files

        if tolerance is not None:
            raise click.UsageError("--tolerance is for runs")
        text, same = _told(compare_files(a, b))
    click.echo(text)
    sys.exit(0 if same else 1)


def _told(found: Any) -> tuple[str, bool]:
    return found.render(), found.same


def _is_run(path: str) -> bool:
    from netdef.solvers.logfile import is_log

    place = Path(path)
    if place.is_dir() or place.suffix == ".jsonl":
        return True
    return place.suffix.lower() not in (".prototxt", ".yaml", ".yml", ".caffemodel") and is_log(place)
