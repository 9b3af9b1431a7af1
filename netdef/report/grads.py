"""The page of `netdef grads --html`: some iterations of a net or a solver as they run, or compared with recordings."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netdef.debug.compare import Difference
from netdef.debug.recording import Recording
from netdef.graph.model import GraphPlan
from netdef.report.collect import Run, page_data, picture_size
from netdef.report.film import MOST_FRAMES, Film, spread
from netdef.report.judge import Judge, plain_findings
from netdef.report.meter import Meter, frame_of
from netdef.report.numbers import Plain
from netdef.report.page import check_place, write_page
from netdef.runtime.net import Net
from netdef.solvers.solver import Solver


class GradsPage:
    """Goes along with ``debug/dump.run``: ``opened(net)`` before the first pass, ``seen`` after each, ``write`` at the end.

    Of more than twelve iterations a dozen go into the page. ``versus`` names what the run is compared with: then its
    frames are made of recordings, as the other's are, and ``compared`` gets what differs. ``curves`` are those of the run
    that it goes on from. Raises NetdefError at once where the file cannot be written.
    """

    def __init__(self, path: Path, source: str, iterations: int, versus: str | None = None, loaded: bool = False,
                 curves: Sequence[Plain] = ()) -> None:
        check_place(path)
        self.path, self.source, self.iterations, self.versus, self.loaded = path, source, iterations, versus, loaded
        self.curves = list(curves)
        self.plan: GraphPlan | None = None
        self.wanted: set[int] = set()
        self.film: Film | None = None
        self.meter: Meter | None = None
        self.judge: Judge | None = None
        self.mine: list[Plain] = []
        self.theirs: list[Plain] = []
        self.differences: list[tuple[int, list[Difference]]] = []

    def opened(self, net: Net, solver: Solver | None = None) -> None:
        """What is going to run, before its first pass."""
        first = 0 if solver is None else solver.iter
        self.plan, self.wanted = net.plan, set(spread(first, first + self.iterations))
        self.size = picture_size(net.plan, min(self.iterations, MOST_FRAMES) * (1 if self.versus is None else 2))
        if solver is not None:
            self.film = Film(solver, self.wanted.__contains__, self.size, self.loaded)
            solver.listen(self.film)
            return
        self.judge = Judge(net, self.loaded)
        self.meter = Meter(net, self.size)
        self.meter.begin()

    def seen(self, net: Net, recording: Recording) -> None:
        """After a pass and its update."""
        iteration = recording.iteration
        if self.versus is not None and iteration in self.wanted:
            self.mine.append(frame_of(net.plan, recording, self.size))
        if self.meter is None or self.judge is None:
            return
        if self.meter.measuring:
            assert self.meter.look is not None
            self.meter.before_update()
            self.judge.gradients_ready(iteration, self.meter.look)
            with np.errstate(all="ignore"):
                self.judge.updated(iteration, recording.loss, self.meter.look)
            frame = self.meter.frame(iteration, recording.loss)
            if self.versus is None:
                self.mine.append(frame)
        if iteration + 1 in self.wanted:
            self.meter.begin()

    def compared(self, other: Recording, found: Sequence[Difference]) -> None:
        """What differs from the other recording of the iteration that was seen last."""
        if self.plan is not None and other.iteration in self.wanted:
            self.theirs.append(frame_of(self.plan, other, self.size))
            self.differences.append((other.iteration, list(found)))

    def write(self) -> None:
        """Write the page. Raises WeightsError where that fails."""
        if self.plan is None:
            return
        run = self._run()
        run.curves = self.curves or run.curves
        if self.versus is None:
            write_page(page_data(self.plan, [run], self.source), self.path)
            return
        run.frames = self.mine
        other = Run("B", self.versus, self.theirs)
        write_page(page_data(self.plan, [run, other], self.source, self.differences), self.path)

    def _run(self) -> Run:
        if self.film is not None:
            self.film.finish()
            return self.film.run("A", self.source)
        findings = plain_findings(self.judge.findings()) if self.judge is not None else []
        return Run("A", self.source, self.mine, [], findings)
