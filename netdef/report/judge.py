"""Judge: what the looks at a few iterations say is wrong, worded by the checks that `netdef train` and `netdef blame` use."""
from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from netdef.debug.bad import find_bad
from netdef.debug.causes import Case
from netdef.debug.finding import CAUSES, Finding
from netdef.debug.health import complaints
from netdef.debug.history import History
from netdef.debug.look import Look
from netdef.debug.stopped import by_plan, by_zero, grouped, without_echoes, zero_params
from netdef.report.numbers import Plain
from netdef.runtime.net import Net
from netdef.solvers.solver import Solver

IN_A_ROW = 10  # looks in which a complaint must stand, or all where fewer were made


class _OnlyNet:
    """A net in the place of a solver that has a learning rate of 0, for checks that ask for no more."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.lr = 0.0
        self.located = net.plan.description.located


class Judge:
    """``gradients_ready`` and ``updated`` after each pass that was looked at; then ``findings``.

    ``of`` is a solver or a net without one; ``loaded``: its params came from a file.
    """

    def __init__(self, of: Solver | Net, loaded: bool = False) -> None:
        self.solver = cast(Solver, _OnlyNet(of) if isinstance(of, Net) else of)
        self.loaded = loaded
        self.has_solver = not isinstance(of, Net)
        self.history = History()
        self.bad: Finding | None = None
        self.zero: list[Finding] = []
        self.streaks: dict[tuple[str, str], tuple[int, Finding]] = {}
        self.at_start = by_plan(self.solver, loaded) if self.has_solver else []

    def gradients_ready(self, iteration: int, look: Look) -> None:
        """Explain the first value that is not finite; to be called before an update spoils the params."""
        if not _finite(look):
            self.not_finite(iteration)

    def not_finite(self, iteration: int) -> None:
        """Explain the first value that is not finite; every blob of the pass must still be there."""
        if self.bad is not None:
            return
        with np.errstate(all="ignore"):
            bad = find_bad(self.solver.net)
            if bad is not None:
                self.bad = Case(self.solver, self.history, iteration, not self.history.iterations, self.loaded).explain(bad)

    def updated(self, iteration: int, loss: float, look: Look) -> None:
        """Count what is wrong while all numbers are finite; for a net without a solver too, when its pass is over."""
        if not _finite(look):
            return
        first = self.history.layers[0] if self.history.layers else None
        self.zero = by_zero(self.solver, look, zero_params(self.solver, look), iteration)
        found = without_echoes(self.zero, complaints(self.solver, look, iteration, first), look, self.solver)
        before = self.streaks
        self.streaks = {c.key: (before[c.key][0] + 1 if c.key in before else 1, c.finding) for c in found}
        self.history.add(iteration, loss, look)

    def findings(self) -> list[Finding]:
        """What is wrong, the worst first."""
        if self.bad is not None:
            return [self.bad, *self.at_start]  # whatever else there is follows from it
        need = min(IN_A_ROW, len(self.history.iterations))
        lasting = [finding for times, finding in self.streaks.values() if times >= need]
        return [*self.at_start, *self.zero, *grouped(lasting)]


def _finite(look: Look) -> bool:
    numbers = [x for layer in look.layers for x in (*layer.tops, layer.gradient_out or 0.0)]
    return all(map(math.isfinite, [*numbers, *(p.gradient for p in look.params.values())]))


def plain_findings(findings: list[Finding]) -> list[Plain]:
    """For the page: the fields of each finding and what its cause means."""
    def plain(finding: Finding) -> Plain:
        found: dict[str, Any] = finding.as_plain()
        return found | {"meaning": CAUSES[finding.cause]}

    return [plain(f) for f in findings]
