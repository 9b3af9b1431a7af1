"""What looks at a training from inside: some iterations of it, for the run's directory and for the page of `--html`."""
from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from netdef.debug.finding import Finding
from netdef.errors import NetdefError, warn
from netdef.report.collect import page_data, picture_size
from netdef.report.film import MOST_FRAMES, Film, spread
from netdef.report.filmfile import MOST_KEPT, FilmFile
from netdef.report.judge import plain_findings
from netdef.report.numbers import Plain
from netdef.report.page import check_place, write_page
from netdef.report.rundata import run_curves
from netdef.solvers.solver import Solver

SHORTEST = 1.0  # seconds between two frames of a live view, at first
SHARE = 0.02  # of the time that measuring may take
DOUBLED = 16  # frames after which there are half as many in the same time


class Pace:
    """Which iterations a live view measures: the first, the last, and others by the clock.

    Between two lies at least a second, twice as much after each sixteen, and as long as keeps what measuring adds below a
    fiftieth of the time. So a day's training has a few hundred.
    """

    def __init__(self, first: int, end: int) -> None:
        self.ends = {first, end - 1}
        self.interval, self.count = SHORTEST, 0
        self.usual = 0.0  # seconds of an iteration that is not measured; the shortest seen lately
        self.began, self.due, self.measuring = 0.0, 0.0, True

    def __call__(self, iteration: int) -> bool:
        """Whether to measure an iteration that begins now."""
        now = time.perf_counter()
        if not self.measuring:
            self.usual = min(now - self.began, 1.1 * self.usual or now)
        self.began = now
        self.measuring = iteration in self.ends or now >= self.due
        return self.measuring

    def done(self) -> None:
        """The iteration was measured."""
        now = time.perf_counter()
        self.count += 1
        if self.count % DOUBLED == 0:
            self.interval *= 2
        more = now - self.began - self.usual if self.count > 1 else 0.0  # kernels are compiled in the first
        self.due = now + max(self.interval, more / SHARE)


class TrainingPage:
    """Listens to a training from the solver's present iteration to max_iter, and notes what it sees in the film of the
    run's ``folder``; ``write`` at the end.

    With a ``path`` it writes the page there anew with each frame, so that it can be looked at meanwhile. The page has a
    dozen iterations, each of which costs about a pass more; the others cost nothing. With ``live`` the clock says which
    iterations are measured. Raises NetdefError at once where there is no place for the page or the film; what goes wrong
    later (a full disk) is a warning, for the training matters more.
    """

    def __init__(self, solver: Solver, path: Path | None, source: str, loaded: bool = False, folder: Path | None = None,
                 live: bool = False) -> None:
        if path is not None:
            check_place(path)
        self.solver, self.path, self.source, self.first = solver, path, source, solver.iter
        end = solver.param.max_iter
        self.pace = Pace(solver.iter, end) if live else None
        wanted = self.pace or set(spread(solver.iter, end)).__contains__
        size = picture_size(solver.net.plan, MOST_KEPT if live else min(MOST_FRAMES, max(1, end - solver.iter)))
        self.film = Film(solver, wanted, size, loaded, self._seen)
        self.file = None if folder is None else FilmFile(folder, page_data(solver.net.plan, [], source), solver.iter)
        solver.listen(self.film)

    def _seen(self, frame: Plain) -> None:
        if self.pace is not None:
            self.pace.done()
        if self.file is not None:
            self.file.add(frame, plain_findings(self.film.judge.findings()))
        frames = self.film.frames
        if len(frames) > 2 * MOST_FRAMES:
            frames[:] = frames[:-1:2] + frames[-1:]
        self._write(None, [])

    def write(self, findings: Sequence[Finding], folder: Path) -> None:
        """Write the page when the training is over, with what its watch has found and the curves of its directory."""
        self.film.finish()
        found = plain_findings(list(findings))
        if self.file is not None:
            self.file.find(found)
            self.file.close()
        try:
            curves = run_curves(folder)
        except NetdefError:
            curves = []
        if self.film.frames:
            self._write(found, curves)

    def _write(self, findings: list[Plain] | None, curves: list[Plain]) -> None:
        if self.path is None:
            return
        run = self.film.run("A", self.source)
        if findings is not None:
            run.findings = findings
        if self.first > 0 and curves:
            run.curves = curves  # they have what came before the resume
        try:
            write_page(page_data(self.solver.net.plan, [run], self.source), self.path)
        except NetdefError as error:
            warn(f"the page was not written: {error.message}", str(self.path))
