"""``netdef plot``: the curves of runs."""
from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=None, metavar="FILE",
              help="Where the picture (.png, .svg, .pdf) or the table goes; by default curves.png in the first run.")
@click.option("--what", default=None, metavar="NAMES", help="What to draw, with commas: loss, lr, gradient, or any output "
              "(accuracy); by default loss, the outputs of tests, and lr.")
@click.option("--x", "axis", type=click.Choice(["iteration", "seconds"]), default="iteration", show_default=True,
              help="What the curves run over.")
@click.option("--log", default="", metavar="NAMES", help="Logarithmic axes, with commas: x, or names given to --what.")
@click.option("--smooth", type=click.FloatRange(0, 1, max_open=True), default=0.0, show_default=True,
              help="Draw the train loss as a running mean, of which this share stays from display to display; 0 takes "
              "the solver's average_loss.")
@click.option("--text", is_flag=True, help="Draw in the terminal, without matplotlib.")
@click.option("--csv", is_flag=True, help="Write a table, to the terminal or --out.")
def command(runs: tuple[str, ...], out: Path | None, what: str | None, axis: str, log: str, smooth: float, text: bool,
            csv: bool) -> None:
    """Draw the curves of one or several RUNs into one picture: loss, outputs of tests, learning rate.

    RUN is a run's directory (runs/LeNet/1), its metrics.jsonl, or a training log as text, Caffe's or netdef's.

    \b
    Examples:
      netdef plot runs/LeNet/1
      netdef plot runs/LeNet/1 runs/LeNet/2 --what loss,accuracy --log loss --out both.svg
      netdef plot caffe.log --text --x seconds
      netdef plot runs/LeNet/1 --csv > curves.csv
    """
    from netdef.solvers.curves import check_quantities, read_run_records, to_csv, usual

    if text and csv:
        raise click.UsageError("--text draws and --csv writes a table: give one of them")
    found = [read_run_records(run) for run in runs]
    names = [n.strip() for n in what.split(",") if n.strip()] if what else usual(found)
    check_quantities(names, found)
    logarithmic = [n.strip() for n in log.split(",") if n.strip()]
    if unknown := [n for n in logarithmic if n not in ("x", *names)]:
        raise click.UsageError(f"--log: expected x or one of {', '.join(names)}, got '{unknown[0]}'")
    if csv:
        _write(to_csv(found, names), out)
    elif text:
        _write(_drawn(found, names, axis, logarithmic, smooth), out)
    else:
        from netdef.solvers.figure import draw

        path = out if out is not None else found[0].folder / "curves.png"
        draw(found, names, path, axis, logarithmic, smooth)
        click.echo(f"wrote {path}")


def _drawn(runs: list, names: list[str], axis: str, log: list[str], smooth: float) -> str:
    """All panels with characters."""
    from netdef.solvers.chart import chart
    from netdef.solvers.curves import curves

    panels = []
    for name in names:
        lines = [(c.name if len(runs) == 1 else f"{run.label}: {c.name}", c.xy(axis))
                 for run in runs for c in curves(run, name, smooth) if not c.raw]
        panels.append(chart(lines, log_x="x" in log, log_y=name in log, title=f"{name} by {axis}"))
    return "\n\n".join(panels) + "\n"


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
        return
    from netdef.weights import atomic_write

    with atomic_write(out, "w") as file:
        file.write(text)
    click.echo(f"wrote {out}")
