"""What `netdef train` shows: one live line on a terminal, Caffe's lines in a pipe, and how it ended."""
from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

import click

from netdef.debug.finding import Finding
from netdef.errors import log
from netdef.runtime.loadreport import coverage_line
from netdef.runtime.waiting import Waiting
from netdef.solvers import events as e
from netdef.solvers.log import lines
from netdef.solvers.solver import Solver

REDRAW = 0.1  # seconds between two drawings of the live line


def listener(solver: Solver, config: str) -> Callable[[e.Event], None]:
    """The listener that suits where the output goes."""
    ending = Ending(solver, config)
    show = _show(solver)
    first_loss = FirstLoss(solver)

    def listen(event: e.Event) -> None:
        first_loss(event)
        show(event)
        ending(event)

    return listen


def show_events(solver: Solver) -> None:
    """Show events without the last words about files."""
    solver.listen(_show(solver))


def show_loaded(solver: Solver) -> None:
    """What the net got from weights files, what was skipped and why, and the share of params covered."""
    for report in solver.loaded:
        for line in report.lines():
            click.echo(line)
    if solver.loaded:
        click.echo(coverage_line(solver.net, solver.loaded))


def _show(solver: Solver) -> Callable[[e.Event], None]:
    return Live(solver) if sys.stdout.isatty() else Plain(solver)


def advise(finding: Finding) -> None:
    """One line of the watch's advice, through the logger that --quiet turns down."""
    log.warning("advice: %s", finding.line())


class Plain:
    """Caffe's lines; after those of a display one more, with the time passed and the time to go."""

    def __init__(self, solver: Solver) -> None:
        self.timing = Timing(solver)

    def __call__(self, event: e.Event) -> None:
        """Print."""
        for line in lines(event):
            click.echo(line)
        if isinstance(event, e.Displayed):
            click.echo(f"    {self.timing.text(event.iter)}")


class Timing:
    """How long a run has taken, and how long it will take at this speed."""

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self.began = (time.perf_counter(), solver.iter)
        self.waiting = Waiting(solver.net, *solver.test_nets)

    def speed(self, iteration: int) -> float:
        """Iterations a second since the beginning."""
        begin, first = self.began
        return (iteration - first) / max(time.perf_counter() - begin, 1e-9)

    def text(self, iteration: int) -> str:
        """``0:12 elapsed, 1:03 to go, waiting for data: 37%``; each part once it can be told."""
        elapsed = f"{_clock(time.perf_counter() - self.began[0])} elapsed"
        speed, total = self.speed(iteration), self.solver.param.max_iter
        to_go = f"{_clock((total - iteration) / speed)} to go" if total and speed else ""
        return ", ".join(filter(None, (elapsed, to_go, self.waiting.text())))


class FirstLoss:
    """Says once, as soon as it is known, what the loss is before anything was learned."""

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self.said = False

    def __call__(self, event: e.Event) -> None:
        """Speak at the first pass, unless it is displayed anyway."""
        if isinstance(event, e.Displayed):
            self.said = True
        elif isinstance(event, e.GradientsReady) and not self.said:
            self.said = True
            click.echo(f"Iteration {event.iter}, loss = {event.loss:g}")


class Live:
    """Rewrites one line of a terminal: iteration, loss, rate, speed, time to go; tests and snapshots get lines."""

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self.drawn = 0.0
        self.width = 0
        self.timing = Timing(solver)
        self.loss = math.nan

    def __call__(self, event: e.Event) -> None:
        """Draw or print."""
        if isinstance(event, e.Updated):
            # a running mean over about twenty iterations is calm and still quick to follow
            self.loss = event.loss if math.isnan(self.loss) else self.loss + 0.05 * (event.loss - self.loss)
            if time.perf_counter() - self.drawn > REDRAW:
                self._draw(event)
        elif isinstance(event, e.Testing):
            self._line(f"iteration {event.iter}: testing ...", keep=False)
        elif isinstance(event, e.Tested):
            shown = ", ".join(f"{o.name} {o.value:.4g}" for o in event.outputs)
            self._line(f"iteration {event.iter}: test net #{event.net}: {shown}", keep=True)
        elif not isinstance(event, (e.Displayed, e.FinalLoss)):
            for line in lines(event):
                self._line(line, keep=True)

    def _draw(self, event: e.Updated) -> None:
        self.drawn = time.perf_counter()
        self._line(f"iteration {event.iter}/{self.solver.param.max_iter}  loss {self.loss:.4g}  lr {event.lr:.3g}  "
                   f"{self.timing.speed(event.iter):.0f} iter/s, {self.timing.text(event.iter)}", keep=False)

    def _line(self, text: str, keep: bool) -> None:
        click.echo("\r" + text.ljust(self.width) + ("\n" if keep else ""), nl=False)
        self.width = 0 if keep else max(len(text), self.width)


class Ending:
    """The last lines: what was learned, where it was saved, and what to type next."""

    def __init__(self, solver: Solver, config: str) -> None:
        self.solver = solver
        self.config = config
        self.tests: dict[int, e.Tested] = {}
        self.saved = ""
        self.state = ""

    def __call__(self, event: e.Event) -> None:
        """Remember, and speak at the end."""
        if isinstance(event, e.Tested):
            self.tests[event.net] = event
        elif isinstance(event, e.Snapshotted):
            self.saved, self.state = event.weights, event.state
        elif isinstance(event, e.Finished):
            self._speak(event)

    def _speak(self, event: e.Finished) -> None:
        click.echo("")
        click.echo(f"{'stopped' if event.stopped else 'done'} after {event.iter} iterations")
        for net, test in sorted(self.tests.items()):
            outputs = ", ".join(f"{o.name} = {o.value:.4g}" for o in test.outputs)
            click.echo(f"test net #{net} at iteration {test.iter}: {outputs}")
        if self.saved:
            click.echo(f"saved: {self.saved}")
            if event.stopped:
                click.echo(f"go on:  netdef train {self.config} --snapshot {self.state}")
            click.echo(f"next:   netdef grads {self.config} --weights {self.saved} --out dump")


def _clock(seconds: float) -> str:
    minutes, s = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{s:02d}" if hours else f"{minutes}:{s:02d}"
