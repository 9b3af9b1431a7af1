"""Film: a listener that takes a frame of some iterations of a training, and notes the curves of all of it."""
from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from netdef.debug.recording import record
from netdef.report.collect import Run, plain_curve
from netdef.report.judge import Judge, plain_findings
from netdef.report.meter import Meter, frame_of
from netdef.report.numbers import Plain
from netdef.report.pictures import Size
from netdef.solvers import events as e
from netdef.solvers.solver import Solver

MOST_FRAMES = 12
MOST_LOSSES = 8000  # noted; then every other one goes

Seen = Callable[[Plain], None]


def spread(first: int, end: int, most: int = MOST_FRAMES) -> list[int]:
    """At most so many iterations from ``first`` to before ``end``: the first, the last, and some evenly between."""
    return sorted({int(i) for i in np.linspace(first, max(first, end - 1), max(2, most)).round()})


class Film:
    """``solver.listen(Film(solver, wanted))``: measures the iterations of which ``wanted(iteration)`` says so, each at about
    the cost of a pass more, and any first one whose loss is not finite; the others run as ever.

    ``frames`` has what was measured, ``run(label)`` all that a page shows of it; ``seen`` gets each frame at once.
    """

    def __init__(self, solver: Solver, wanted: Callable[[int], bool], size: Size = Size(), loaded: bool = False,  # noqa: B008
                 seen: Seen = lambda frame: None) -> None:
        self.solver = solver
        self.wanted = wanted
        self.seen = seen
        self.meter = Meter(solver.net, size)
        self.judge = Judge(solver, loaded)
        self.frames: list[Plain] = []
        self.losses: list[tuple[int, float]] = []
        self.rates: list[tuple[int, float]] = []
        self.tests: dict[tuple[str, str], list[tuple[int, float]]] = {}
        self.loss = math.nan
        self.iteration = solver.iter
        self.step = 1  # between losses that are noted
        self.failed = False

    def __call__(self, event: e.Event) -> None:
        """Measure where it is wanted."""
        if isinstance(event, e.IterationStarted):
            self.iteration = event.iter
            if self.wanted(event.iter):
                self.meter.begin()
        elif isinstance(event, e.GradientsReady):
            self._gradients(event)
        elif isinstance(event, e.Updated):
            self._updated(event)
        elif isinstance(event, e.Tested):
            for output in event.outputs:
                self.tests.setdefault((f"test {event.net} {output.name}", output.name), []).append((event.iter, output.value))

    def _gradients(self, event: e.GradientsReady) -> None:
        self.loss = event.loss
        if event.iter % self.step == 0:
            self.losses.append((event.iter, event.loss))
        if len(self.losses) > MOST_LOSSES:
            self.step *= 2
            self.losses = [p for p in self.losses if p[0] % self.step == 0]
        if self.meter.measuring:
            assert self.meter.look is not None
            self.meter.before_update()
            self.judge.gradients_ready(event.iter, self.meter.look)
        elif not math.isfinite(event.loss) and not self.failed:
            with np.errstate(all="ignore"):
                self.solver.net.recall()  # every blob is looked at, though it was not kept
                self._add(frame_of(self.solver.net.plan, record(self.solver.net, event.iter), self.meter.size))
                self.judge.not_finite(event.iter)
        self.failed = self.failed or not math.isfinite(event.loss)

    def _updated(self, event: e.Updated) -> None:
        self.rates.append((event.iter - 1, event.lr))
        if len(self.rates) > MOST_LOSSES:
            self.rates = self.rates[::2]
        if not self.meter.measuring:
            return
        assert self.meter.look is not None
        self.meter.after_update()
        self.judge.updated(event.iter - 1, event.loss, self.meter.look)
        self._add(self.meter.frame(event.iter - 1, event.loss, event.lr))

    def _add(self, frame: Plain) -> None:
        self.frames.append(frame)
        self.seen(frame)

    def finish(self) -> None:
        """Take an iteration in which an error ended the training as far as it came; no measuring after that."""
        if self.meter.measuring and self.meter.params:
            self._add(self.meter.frame(self.iteration, self.loss))
        self.meter.close()

    def run(self, label: str, title: str = "") -> Run:
        """The frames, curves and findings so far."""
        curves = [plain_curve("train loss", "loss", self.losses)] if self.losses else []
        curves += [plain_curve(name, quantity, points) for (name, quantity), points in self.tests.items()]
        if len({rate for _, rate in self.rates}) > 1:
            curves.append(plain_curve("learning rate", "lr", self.rates))
        return Run(label, title, self.frames, curves, plain_findings(self.judge.findings()))
