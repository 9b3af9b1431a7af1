"""What `netdef train` shows: one live line on a terminal, Caffe's lines in a pipe, and how it ended."""
from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable

import click

from netdef.debug.finding import Finding
from netdef.errors import log
from netdef.solvers import events as e
from netdef.solvers.log import lines
from netdef.solvers.solver import Solver

REDRAW = 0.1  # seconds between two drawings of the live line


def listener(solver: Solver, config: str) -> Callable[[e.Event], None]:
    """The listener that suits where the output goes."""
    ending = Ending(solver, config)
    show = Live(solver) if sys.stdout.isatty() else _plain
    first_loss = FirstLoss(solver)

    def listen(event: e.Event) -> None:
        first_loss(event)
        show(event)
        ending(event)

    return listen


def advise(finding: Finding) -> None:
    """One line of the watch's advice, through the logger that --quiet turns down."""
    log.warning("advice: %s", finding.line())


def _plain(event: e.Event) -> None:
    for line in lines(event):
        click.echo(line)


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
        self.began = (time.perf_counter(), solver.iter)
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
        begin, first = self.began
        speed = (event.iter - first) / max(self.drawn - begin, 1e-9)
        total = self.solver.param.max_iter
        left = f", {_clock((total - event.iter) / speed)} to go" if total and speed else ""
        self._line(f"iteration {event.iter}/{total}  loss {self.loss:.4g}  lr {event.lr:.3g}  {speed:.0f} iter/s{left}",
                   keep=False)

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
