"""Curves of runs as a picture, by matplotlib."""
from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from netdef.errors import NetdefError
from netdef.solvers.curves import RunRecords, curves
from netdef.weights import atomic_write

ENDINGS = (".png", ".svg", ".pdf")
_COLOURS = 10  # of matplotlib's cycle
_STYLES = ("-", "--", ":", "-.")


def draw(runs: Sequence[RunRecords], names: Sequence[str], out: str | os.PathLike[str], axis: str = "iteration",
         log: Collection[str] = (), smooth: float = 0.0) -> None:
    """Write a figure with one panel for each of ``names`` and all runs in each; the ending of ``out`` is one of ENDINGS.

    ``log`` names logarithmic axes: "x", or the panel whose values are. One run has a colour for each curve; several have
    one for each run, and a style for each curve. Raises NetdefError without matplotlib, or where the file cannot be
    written.
    """
    path = Path(out)
    if path.suffix.lower() not in ENDINGS:
        raise NetdefError(f"cannot draw '{path}': expected a name that ends in {', '.join(ENDINGS)}")
    figure_class = _matplotlib()
    figure = figure_class(figsize=(8, 3.2 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), 1, squeeze=False, sharex=True)[:, 0]
    for panel, name in zip(panels, names, strict=True):
        _panel(panel, runs, name, axis, smooth)
        panel.set_ylabel(name)
        panel.set_yscale("log" if name in log else "linear")
        panel.set_xscale("log" if "x" in log else "linear")
        panel.grid(alpha=0.3)
        if panel.lines:
            panel.legend(fontsize="small")
    panels[-1].set_xlabel(axis)
    with atomic_write(path) as file:
        figure.savefig(file, format=path.suffix[1:].lower(), dpi=120)


def _panel(panel: Any, runs: Sequence[RunRecords], name: str, axis: str, smooth: float) -> None:
    for number, run in enumerate(runs):
        bold = 0
        for i, curve in enumerate(curves(run, name, smooth)):
            colour = f"C{(number if len(runs) > 1 else i - 1 if i and not curve.raw else i) % _COLOURS}"
            x, y = zip(*curve.xy(axis), strict=True)
            label = curve.name if len(runs) == 1 else f"{run.label}: {curve.name}"
            style = _STYLES[bold % len(_STYLES)] if len(runs) > 1 else "-"
            marker = "." if len(x) < 40 and not curve.raw else None
            panel.plot(x, y, style, color=colour, label=None if curve.raw else label, marker=marker,
                       linewidth=0.8 if curve.raw else 1.5, alpha=0.35 if curve.raw else 1.0)
            bold += not curve.raw


def _matplotlib() -> Any:
    """Its class of figures, which needs no window and leaves a user's own settings alone."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise NetdefError("a picture needs the package matplotlib, which is not installed",
                          hint="pip install 'netdef[plot]', or draw with --text or write --csv") from None
    return Figure

