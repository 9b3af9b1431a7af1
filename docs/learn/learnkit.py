"""What the pages of docs/learn share: training with a record of it, the look of figures, animations.

A page's make.py imports it by its name: tools/gen_learn.py puts this folder on the path. netdef only, and matplotlib and
Pillow for the pictures.
"""
from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import netdef
from netdef.solvers import events

# Okabe and Ito's colours, which the colour-blind tell apart too. The order is that of use; markers and line styles go with it.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
DPI = 110


@dataclass
class Record:
    """What a training leaves: the loss of each update, the outputs of each test, and what ``look`` returned."""

    solver: netdef.Solver
    losses: list[float] = field(default_factory=list)
    """the loss of iterations 1, 2, ... before its update"""
    tests: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """by name of an output of test net 0: (iteration, mean over the test)"""
    looks: list[tuple[int, Any]] = field(default_factory=list)
    """(iteration, what ``look(solver)`` returned)"""

    @property
    def net(self) -> netdef.Net:
        """The train net, as the training left it."""
        return self.solver.net


def train(solver: str | Path, updates: int, *overrides: str, seed: int, every: int = 1,
          look: Callable[[netdef.Solver], Any] | None = None, enough: Callable[[netdef.Solver, float], bool] | None = None,
          dtype: str = "float32") -> Record:
    """Train a solver file for ``updates`` iterations and write down what happens.

    ``overrides`` are ``path=value`` texts, as those of ``--set`` (``net_param.layer.hidden...`` reaches a net that is written
    in the solver file). ``look(solver)`` is called before the first update and after every ``every`` updates;
    ``enough(solver, loss)`` after each update with its loss, and ends the training by returning True. Nothing is written to
    the disk, whatever ``snapshot`` says. ``test_interval`` of the file decides about tests (one more is done at the end).
    """
    made = netdef.Solver(solver, overrides=(*overrides, "snapshot=0"), seed=seed, dtype=dtype)
    record = Record(made)

    def listener(event: events.Event) -> None:
        if isinstance(event, events.Updated):
            record.losses.append(event.loss)
            if look is not None and event.iter % every == 0:
                record.looks.append((event.iter, look(made)))
            if enough is not None and enough(made, event.loss):
                made.stopped = True
        elif isinstance(event, events.Tested) and event.net == 0:
            for output in event.outputs:
                record.tests.setdefault(output.name, []).append((event.iter, output.value))

    made.listen(listener)
    if look is not None:
        record.looks.append((0, look(made)))
    made.step(updates)
    if made.test_nets and not (made.iter == 0 and record.tests):
        made.test_all()
    return record


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile."""
    low, middle, high = np.percentile(np.asarray(values, float), [25, 50, 75])
    return float(low), float(middle), float(high)


# figures ------------------------------------------------------------------------------------------------------


@contextmanager
def look() -> Iterator[None]:
    """The house's settings of matplotlib, for what is drawn inside; tools/gen_learn.py runs every page so.

    Ends the program where there is no matplotlib.
    """
    try:
        import matplotlib
    except ImportError:
        raise SystemExit("the figures need matplotlib: pip install 'netdef[plot]'") from None
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"font.size": 9, "axes.titlesize": 10, "axes.grid": True, "axes.axisbelow": True,
                                    "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False,
                                    "legend.frameon": False, "legend.fontsize": 8, "svg.hashsalt": "netdef"})
        yield


def figure(rows: int = 1, columns: int = 1, width: float = 7.0, height: float = 3.6, **options: Any) -> tuple[Any, Any]:
    """A figure of ``width`` x ``height`` inches and its axes: one, or an array (see ``subplots``); without pyplot and windows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained", dpi=DPI)
    FigureCanvasAgg(made)
    return made, made.subplots(rows, columns, **options)


def save(made: Any, path: Path) -> None:
    """Write a figure as PNG, without the date and the version of what drew it."""
    made.savefig(path, dpi=DPI, metadata={"Software": None})


def gif(frames: Iterable[Any], path: Path, seconds: float = 0.15, last: float = 1.5, colours: int = 64) -> None:
    """Write figures as an animation that repeats; each stays for ``seconds``, the last one for ``last``.

    All frames share the palette of the last one (``colours`` colours), so the pages stay small: a figure that comes is
    drawn and let go, and may be the same object each time.
    """
    from PIL import Image

    pictures = []
    for made in frames:
        made.canvas.draw()
        pictures.append(Image.fromarray(np.asarray(made.canvas.buffer_rgba())[..., :3].copy()))
    palette = pictures[-1].quantize(colours, dither=Image.Dither.NONE)
    drawn = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    times = [round(1000 * seconds)] * (len(drawn) - 1) + [round(1000 * last)]
    held = io.BytesIO()
    drawn[0].save(held, "GIF", save_all=True, append_images=drawn[1:], duration=times, loop=0, optimize=True)
    path.write_bytes(held.getvalue())
