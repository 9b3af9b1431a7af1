"""blame: run a training again, look at every layer of every pass, and say what went wrong first, and why."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from netdef.debug.bad import Bad, bad_gradient, bad_param, bad_top, matter
from netdef.debug.causes import Case
from netdef.debug.finding import Blame, Finding, Link
from netdef.debug.health import DEAD, Complaint, complaints, is_settled
from netdef.debug.history import History
from netdef.debug.look import Look, owned, param_name
from netdef.debug.reach import below
from netdef.debug.stopped import by_plan, by_zero, grouped, without_echoes, zero_params
from netdef.errors import DataError
from netdef.runtime.executor import RunStep
from netdef.runtime.hooks import Handle
from netdef.solvers import events as e
from netdef.solvers.solver import Solver

ITERATIONS = 500
IN_A_ROW = 10  # looks in which a complaint must stand before it counts, or all where fewer were made
CLAMP = -math.log(np.finfo(np.float32).tiny)  # 87.3365, the most a softmax loss shows for one place
CONSTANT = 20  # losses that do not move
QUIET = ("test_interval=2000000000", "test_initialization=false", "snapshot=0", "snapshot_after_train=false",
         "display=0")


def blame(solver: Any, snapshot: str | None = None, weights: Sequence[str] = (), iterations: int | None = None,
          seed: int | None = None, overrides: Sequence[str] = (), prepare: Callable[[Solver], Any] | None = None) -> Blame:
    """Replay ``solver`` (path or message) from a snapshot or the start, and find the cause of what went wrong.

    It stops at the first value that is not finite, at a softmax loss at its clamp, and after ``iterations`` (default
    500, but not beyond max_iter). The seed is the given one, a snapshot's, random_seed, or 0. ``prepare(solver)`` is
    called before the first pass (to hand arrays to MemoryData). Raises ConfigError(s), SolverError, WeightsError.
    """
    with Solver(solver, weights=list(weights) or None, snapshot=snapshot, overrides=[*overrides, *QUIET], seed=_seed(
            solver, snapshot, seed, overrides)) as made:
        if prepare is not None:
            prepare(made)
        loaded = bool(weights) or snapshot is not None or len(made.param.weights) > 0
        return Replay(made, loaded).run(_how_many(made, iterations))


def _seed(solver: Any, snapshot: str | None, given: int | None, overrides: Sequence[str]) -> int | None:
    """0 where nobody gives one: the same command shows the same run."""
    from netdef.config.load import load_solver

    if given is not None or snapshot is not None:
        return given
    return None if load_solver(solver, overrides=list(overrides)).message.random_seed >= 0 else 0


def _how_many(solver: Solver, iterations: int | None) -> int:
    if iterations is not None:
        return iterations
    most = solver.param.max_iter - solver.iter
    return min(ITERATIONS, most) if solver.param.HasField("max_iter") and most > 0 else ITERATIONS


class _Seen(Exception):  # noqa: N818  (it ends a pass, it is no error)
    """A value that is not finite has just been made."""

    def __init__(self, bad: Bad) -> None:
        self.bad = bad


class Replay:
    """One run of a solver under observation."""

    def __init__(self, solver: Solver, loaded: bool) -> None:
        self.solver = solver
        self.loaded = loaded
        self.history = History()
        self.look = Look(solver.net, self._seen)
        self.report = Blame(solver.net.name, solver.net.seed, solver.iter)
        self.running: RunStep | None = None
        self.matter = matter(solver.net)
        self.streaks: dict[tuple[str, str], tuple[int, Complaint]] = {}
        self.zeros: dict[int, int] = {}  # param -> passes in a row in which its gradient was 0
        self.handles: list[Handle] = [solver.net.hooks.add("before_forward", self._enter)]
        solver.listen(self._listen)

    def run(self, iterations: int) -> Blame:
        """Replay so many iterations, or fewer if something is wrong with a value."""
        try:
            with np.errstate(all="ignore"):
                self._replay(iterations)
        finally:
            self.look.close()
            for handle in self.handles:
                handle.remove()
        self.report.iterations = len(self.report.losses)
        return self.report

    def _replay(self, iterations: int) -> None:
        found = self.report.findings
        bad = bad_param(self.solver.net)
        if bad is not None:
            found.append(self._case().explain(bad))
            return
        try:
            for _ in range(iterations):
                self.solver.step(1)
                if found:
                    return
        except _Seen as stop:
            found.append(self._case().explain(stop.bad))
            return
        except DataError as error:
            found.append(self._bad_data(error))
            return
        self._sum_up()

    def _case(self) -> Case:
        return Case(self.solver, self.history, self.solver.iter, self.solver.iter == self.report.start, self.loaded)

    # while it runs --------------------------------------------------------------------------------------------

    def _enter(self, run: RunStep) -> None:
        self.running = run

    def _seen(self, run: RunStep, event: str) -> None:
        """After each layer: stop where something it made is not finite."""
        look = self.look.layers[run.node.index]
        if run.node.index not in self.matter:
            return
        if event == "forward":
            bad = None if all(map(math.isfinite, look.tops)) else bad_top(run)
        else:
            fine = look.gradient_out is not None and math.isfinite(look.gradient_out) and not any(run.need.params)
            bad = None if fine else bad_gradient(run)
        if bad is not None:
            raise _Seen(bad)

    def _listen(self, event: e.Event) -> None:
        if isinstance(event, e.IterationStarted):
            self.look.begin()
        elif isinstance(event, e.GradientsReady):
            self.report.losses.append(event.loss)
            self.look.before_update()
            self._check_clamp(event)
        elif isinstance(event, e.Updated):
            self._updated(event)

    def _check_clamp(self, event: e.GradientsReady) -> None:
        for run in self.solver.net.steps:
            if run.type == "SoftmaxWithLoss" and run.tops[0].count == 1:
                loss = float(run.tops[0].data.reshape(-1)[0])
                mean = run.layer.normalization.mode in ("VALID", "FULL")  # type: ignore[attr-defined]
                if mean and CLAMP / 2 <= loss <= CLAMP * 1.0001:
                    self.report.findings.append(self._case().clamped(run, loss))
                    return

    def _updated(self, event: e.Updated) -> None:
        self.look.after_update()
        iteration = event.iter - 1
        self.history.add(iteration, event.loss, self.look)
        if not self.report.findings and not all(math.isfinite(p.change) for p in self.look.params.values()):
            bad = bad_param(self.solver.net, "update")
            if bad is not None:
                case = self._case()
                case.iteration = iteration
                self.report.findings.append(case.explain(bad))
                return
        settled = is_settled(self.solver, event.loss, self.history.losses)
        found = {c.key: c for c in complaints(self.solver, self.look, iteration, self.history.layers[0], settled)}
        self.streaks = {k: (self.streaks[k][0] + 1 if k in self.streaks else 1, c) for k, c in found.items()}
        zeros = zero_params(self.solver, self.look)
        self.zeros = {p.id: self.zeros.get(p.id, 0) + 1 for p in zeros}

    def _bad_data(self, error: DataError) -> Finding:
        """A DataError out of a layer: with the record that the item came from."""
        run = self.running
        assert run is not None
        what = f"iteration {self.solver.iter}: {error.message}"
        span = error.span or run.node.located.span
        if not run.layer.is_loss and not run.bottoms:
            return Finding(what, "bad data", run.name, iteration=self.solver.iter, span=span,
                           suggestion=error.hint or "repair or remove the record")
        net = self.solver.net
        label = run.node.bottoms[1] if len(run.node.bottoms) > 1 else None
        maker = net.steps[net.plan.description.values[label].maker] if label is not None else None
        record = maker.layer.record_at(error.item) if maker is not None and error.item is not None else None
        place = f"it is record {record} of its source" if record is not None else "it is of this batch"
        chain = (Link(f"the labels are made by {maker.node.who}; {place}", maker.node.spec.option_span("source")),) \
            if maker is not None else ()
        return Finding(what, "label out of range", run.name, run.bottoms[1].name if label is not None else "",
                       self.solver.iter, error.item, record, span, error.hint or
                       "labels count from 0; correct the label, or num_output of the scores", chain)

    # when it has run ------------------------------------------------------------------------------------------

    def _sum_up(self) -> None:
        """Every value was finite: is there still something wrong?"""
        made = len(self.history.iterations)
        found = by_plan(self.solver, self.loaded)
        if not made:
            self.report.findings += found
            return
        iteration = self.history.iterations[-1]
        need = min(IN_A_ROW, made)
        stuck = [p for p in owned(self.solver.net) if self.zeros.get(p.id, 0) >= need]
        zero = by_zero(self.solver, self.look, stuck, iteration)
        lasting = [complaint for times, complaint in self.streaks.values() if times >= need]
        found += zero + self._alike_units()
        found += grouped([c.finding for c in without_echoes(zero, lasting, self.look, self.solver)])
        found = [self._deeper(f) for f in found]
        self.report.findings += self._diverging(iteration) or _first_of_each(found) or self._constant(iteration)

    def _deeper(self, found: Finding) -> Finding:
        """Units that were alive at the start and are dead or saturated now: did params run away in between?"""
        share = {"dead ReLU": "dead", "saturated": "saturated"}.get(found.cause)
        if share is None:
            return found
        index = next(run.node.index for run in self.solver.net.steps if run.name == found.layer)
        series = [getattr(looks[index], share) for looks in self.history.layers]
        first = next((i for i in range(len(series)) if min(series[i:]) >= DEAD), None)
        cause = self._case().runaway()
        if not first or cause is None:
            return found
        since = Link(f"it has been so since iteration {self.history.iterations[first]}; before, {series[0]:.0%} were")
        return replace(cause, what=found.what, iteration=found.iteration, chain=(*found.chain, since, *cause.chain))

    def _diverging(self, iteration: int) -> list[Finding]:
        """A loss that is finite and has grown out of all proportion."""
        losses = self.report.losses
        first = max(abs(x) for x in losses[:5])
        last = float(np.median(losses[-5:]))
        if len(losses) < 10 or not (abs(last) > 10 * first and abs(last) > first + 1):
            return []
        found = self._case().runaway()
        if found is None:
            return []
        return [replace(found, what=f"the loss grew from {losses[0]:.4g} to {last:.4g} by iteration {iteration}",
                        iteration=iteration)]

    def _alike_units(self) -> list[Finding]:
        """Units of one layer that began equal and are equal still: they will never learn different things."""
        found = []
        for run in self.solver.net.steps:
            weights = run.params[0] if run.params else None
            if weights is None or len(weights.shape) < 2 or weights.shape[0] < 2 or not run.step.need.params[0]:
                continue
            init = run.step.inferred.params[0]
            equal = weights.data.any() and (weights.data[1:] == weights.data[0]).all()
            if equal and getattr(init.filler, "type", "") == "constant" and run.type in ("InnerProduct", "Convolution"):
                span = run.node.spec.option_span(init.option)
                zero = getattr(init.filler, "value", 0.0) == 0
                found.append(Finding(
                    f"{run.node.who}: its {weights.shape[0]} units are all the same after {len(self.report.losses)} "
                    "iterations, so it is as good as one unit", "zero filler" if zero else "constant filler", run.name,
                    f"{run.name}[0]", self.history.iterations[-1], span=span,
                    chain=(Link("what begins equal gets equal gradients", span),),
                    suggestion="a random weight_filler such as xavier or msra"))
        return found

    def _constant(self, iteration: int) -> list[Finding]:
        """A loss that does not move at all, though nothing else was found."""
        last = self.report.losses[-CONSTANT:]
        if len(last) < CONSTANT or max(last) - min(last) > 1e-7 * abs(last[-1]) or abs(last[-1]) < 1e-6:
            return []
        losses = [r for r in self.solver.net.steps if r.layer.is_loss]
        run = losses[-1] if losses else self.solver.net.steps[-1]
        moved = max(((p.ratio, param_name(self.solver.net, self.solver.net.plan.params[i]))
                     for i, p in self.look.params.items() if math.isfinite(p.ratio)), default=(0.0, "-"))
        chain = [Link(f"the largest update was {moved[0]:.2g} of its param, '{moved[1]}'")]
        chain += [Link(f"it depends on {self.solver.net.steps[i].node.who}", self.solver.net.steps[i].node.located.span)
                  for i in below(self.solver.net.plan, run.node.index)]
        return [Finding(f"the loss has been {last[-1]:g} for {CONSTANT} iterations", "unknown", run.name,
                        iteration=iteration, span=run.node.located.span, chain=tuple(chain),
                        suggestion="look at the data and labels: are they the same in every batch?")]


def _first_of_each(found: list[Finding]) -> list[Finding]:
    """One finding for each layer and cause; what is seen of a layer twice is told once."""
    kept: dict[tuple[str, str], Finding] = {}
    for finding in found:
        kept.setdefault((finding.cause, finding.layer), finding)
    roots = {f.layer for f in kept.values() if f.cause not in ("unknown",)}
    return [f for f in kept.values() if f.cause != "unknown" or f.layer not in roots]
