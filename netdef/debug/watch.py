"""Watch: listens to a training, looks at a pass now and then, and has one line of advice for what is wrong.

The loss is looked at in every iteration, which costs nothing. Everything else is measured only where a display falls
due, and at most every ``EVERY`` iterations, so that a solver which displays each iteration is not slowed down. What
may be a passing state (large first updates, an odd batch) must be seen at two looks in a row. No advice is given twice.
"""
from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from netdef.debug.bad import find_bad
from netdef.debug.causes import Case
from netdef.debug.evidence import try_evidence
from netdef.debug.finding import Finding
from netdef.debug.health import Complaint, complaints, is_settled
from netdef.debug.history import History
from netdef.debug.look import Look, owned
from netdef.debug.stopped import by_plan, by_zero, without_echoes, zero_params
from netdef.errors import NetdefError, NumericalError, Span
from netdef.runtime.watch import rms
from netdef.solvers import events as e
from netdef.solvers.solver import Solver

EVERY = 20  # iterations between two looks, at least
WITHOUT_DISPLAY = 100  # iterations between two looks of a solver that displays nothing
ON_NAN = ("stop", "skip", "ignore")
MOST_SKIPS = 100  # in a row: then skipping does not help

Say = Callable[[Finding], None]


class Watch:
    """``solver.listen(Watch(solver, say))``; ``say(finding)`` gets each advice once, ``finding.line()`` words it.

    ``on_nan`` is what happens when loss or gradients are not finite: "stop" raises NumericalError before the params are
    changed, "skip" leaves this update out and goes on, "ignore" goes on as Caffe does. The first time, evidence is
    written beside the snapshots. ``loaded``: the params came from a file. ``findings`` keeps all that was said.
    """

    def __init__(self, solver: Solver, say: Say, on_nan: str = "stop", loaded: bool = False) -> None:
        if on_nan not in ON_NAN:
            raise NetdefError(f"on_nan: expected one of {', '.join(ON_NAN)}, got '{on_nan}'")
        self.solver = solver
        self.say = say
        self.on_nan = on_nan
        self.loaded = loaded
        self.findings: list[Finding] = []
        self.look: Look | None = None
        self.history = History()
        self.streaks: dict[tuple[str, str], int] = {}
        self.said: set[tuple[str, str]] = set()
        self.skips = 0
        self.began: int | None = None
        self.losses: deque[float] = deque(maxlen=20)

    def __call__(self, event: e.Event) -> None:
        """Look where a look is due, and always at the loss."""
        if isinstance(event, e.IterationStarted):
            self._begin(event.iter)
        elif isinstance(event, e.GradientsReady):
            self.losses.append(event.loss)
            self._check_finite(event)
            if self.look is not None:
                self.look.before_update()
        elif isinstance(event, e.Updated) and self.look is not None:
            self._finish(event)

    def _begin(self, iteration: int) -> None:
        self._close_look()  # of an iteration that an error ended
        if self.began is None:
            self.began = iteration
            for finding in by_plan(self.solver, self.loaded or iteration > 0):
                self._tell(Complaint((finding.cause, finding.layer), finding))
        if iteration % self._interval() == 0 or iteration == self.began:
            self.look = Look(self.solver.net)

    def _interval(self) -> int:
        display = int(self.solver.param.display)
        return max(1, math.ceil(EVERY / display)) * display if display else WITHOUT_DISPLAY

    def _finish(self, event: e.Updated) -> None:
        """After the update of a look's iteration: what is wrong now, and was so at the look before."""
        look, self.look = self.look, None
        assert look is not None
        look.close()
        look.after_update()
        iteration = event.iter - 1
        if not math.isfinite(event.loss):
            return
        settled = is_settled(self.solver, event.loss, self.history.losses)
        found = complaints(self.solver, look, iteration, self.history.layers[0] if self.history.layers else None, settled)
        zero = by_zero(self.solver, look, zero_params(self.solver, look), iteration)
        found = without_echoes(zero, found, look, self.solver)
        for finding in zero:
            found.append(Complaint(("zero", finding.cause + finding.layer), replace(
                finding, what=finding.chain[0].text if finding.chain else finding.what)))
        self.history.add(iteration, event.loss, look)
        del self.history.layers[1:-1]
        seen = {c.key: c for c in found}
        self.streaks = {key: self.streaks.get(key, 0) + 1 for key in seen}
        places: set[str] = set()  # a layer with two complaints has one cause
        for key, complaint in seen.items():
            if self.streaks[key] >= 2 and complaint.finding.layer not in places:
                self._tell(complaint)
            places.add(complaint.finding.layer)

    def _tell(self, complaint: Complaint) -> None:
        key = (complaint.finding.cause, str(complaint.finding.span))  # one line of the config, one line of advice
        if key not in self.said:
            self.said.add(key)
            self.findings.append(complaint.finding)
            self.say(complaint.finding)

    # what is not finite ---------------------------------------------------------------------------------------

    def _check_finite(self, event: e.GradientsReady) -> None:
        """The loss always; the gradients at a look, and in each iteration where updates are to be skipped."""
        wrong = not math.isfinite(event.loss)
        if not wrong and (self.look is not None or self.on_nan == "skip"):
            wrong = not all(math.isfinite(rms(self.solver.net.param_blobs[p.id].diff)) for p in owned(self.solver.net)
                            if p.lr_mult)
        if not wrong:
            self.skips = 0
            return
        self._close_look()
        if self.on_nan == "ignore" and ("nan", "") in self.said:
            return
        self._not_finite(event)

    def _close_look(self) -> None:
        if self.look is not None:
            self.look.close()
            self.look = None

    def _not_finite(self, event: e.GradientsReady) -> None:
        first = ("nan", "") not in self.said
        if first:
            self.said.add(("nan", ""))
            finding = self._explained(event)
            where = try_evidence(self.solver, finding, list(self.losses))
            self.findings.append(finding)
            if self.on_nan == "stop":
                raise self._error(finding, where)
            self.say(replace(finding, what=f"{finding.what}; likely cause: {finding.cause}",
                             suggestion=f"{finding.suggestion}; {where}"))
        if self.on_nan == "skip":
            self._skip(event)

    def _skip(self, event: e.GradientsReady) -> None:
        self.skips += 1
        stuck = any(not math.isfinite(rms(self.solver.net.param_blobs[p.id].data)) for p in owned(self.solver.net))
        if stuck or self.skips > MOST_SKIPS:
            why = "a param itself is not finite" if stuck else f"{MOST_SKIPS} updates in a row were skipped"
            raise NumericalError(f"iteration {event.iter}: {why}, so skipping updates does not help",
                                 where=self.solver.located.span, hint="`netdef blame SOLVER` finds the first bad value")
        self.solver.skip_update()

    def _explained(self, event: e.GradientsReady) -> Finding:
        with np.errstate(all="ignore"):
            self.solver.net.recall()  # every blob is looked at
            bad = find_bad(self.solver.net)
            # with iter_size an earlier pass may have made it, of which only the sum of the gradients is left
            summed = bad is not None and bad.kind == "backward" and self.solver.param.iter_size > 1
            if bad is None or summed:
                return Finding(f"iteration {event.iter}: the loss is {event.loss:g}", "unknown", iteration=event.iter,
                               span=self.solver.located.span, suggestion="`netdef blame SOLVER` finds the first bad value")
            case = Case(self.solver, self.history, event.iter, event.iter == self.began, self.loaded)
            return case.explain(bad)

    def _error(self, finding: Finding, where: str) -> NumericalError:
        notes = [f"<- {link}" for link in finding.chain]
        notes += [f"likely cause: {finding.cause}" + (f" [{finding.span}]" if finding.span else ""),
                  "the params are those from before this iteration's update", where]
        return NumericalError(finding.what, where=_place(self.solver, finding), hint=finding.suggestion, notes=notes)


def _place(solver: Solver, finding: Finding) -> Span:
    """The line of the layer where it was seen, else of the cause."""
    spans = [link.span for link in finding.chain if link.span is not None]
    return spans[0] if spans else finding.span or solver.located.span
