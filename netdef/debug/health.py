"""Health: what looks at a run say of it while every number is still finite. Silent about a healthy run.

Each complaint has a key; who listens counts how often it comes in a row, for what is seen once may pass (the first
updates are large, a batch may be odd).
"""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netdef.debug.finding import Finding, Link
from netdef.debug.look import LayerLook, Look, ParamLook, owned, param_name, zero_weights
from netdef.debug.reach import made_by
from netdef.graph.model import Param
from netdef.runtime.executor import RunStep
from netdef.solvers.solver import Solver

DEAD = 0.9  # share of a ReLU's units that are 0 for the whole batch
FEW = 16  # so many values a unit, or it may be 0 by chance
SATURATED = 0.9  # share of a Sigmoid's or TanH's values within 1 % of the ends of their range
FAST = 0.5  # update relative to weight, root mean squares; about 0.001 is usual
SLOW = 1e-7  # below float32's rounding: the update changes nothing
HUGE = 1e6  # root mean square of a top
GROWN = 1e3  # of a top, since the first look


@dataclass(frozen=True)
class Complaint:
    """A finding with the key under which it is counted."""

    key: tuple[str, str]
    finding: Finding


def complaints(solver: Solver, look: Look, iteration: int, first: list[LayerLook] | None = None,
               settled: bool = False) -> list[Complaint]:
    """What a look at a pass and its update says; ``first`` is the first look's layers, to measure growth by.

    ``settled``: small updates are as they should be.
    """
    found = list(_layers(solver, look, iteration, first or look.layers))
    found += [f for f in _params(solver, look, iteration) if not (settled and f[0] == "slow")]
    return [Complaint((f.cause + "/" + kind, f.layer + f.blob), f) for kind, f in found]


def is_settled(solver: Solver, loss: float, losses: Sequence[float]) -> bool:
    """Whether the training has come so far that small updates are right: the loss has fallen to a tenth of the first
    one, or the policy has lowered the rate to a hundredth of base_lr."""
    return bool(losses) and abs(loss) < abs(losses[0]) / 10 or solver.lr < solver.param.base_lr / 100


def _layers(solver: Solver, look: Look, iteration: int, first: list[LayerLook]) -> Iterator[tuple[str, Finding]]:
    for run, seen, before in zip(solver.net.steps, look.layers, first, strict=True):
        if seen.dead >= DEAD and _values_a_unit(run) >= FEW:
            yield "dead", dead_relu(solver, run, seen, iteration)
        elif seen.saturated >= SATURATED and run.need.bottoms[0]:
            yield "saturated", saturated(solver, run, seen, iteration)
        elif any(seen.alike) and run.step.backward and _input_varies(solver, run, look):
            yield "constant", constant_output(solver, run, iteration)
        yield from _sizes(run, seen, before, iteration)


def _sizes(run: RunStep, seen: LayerLook, before: LayerLook, iteration: int) -> Iterator[tuple[str, Finding]]:
    for top, now, then in zip(run.tops, seen.tops, before.tops, strict=False):
        grown = now > GROWN and 0 < then < now / GROWN
        if run.bottoms and math.isfinite(now) and (now > HUGE or grown):
            since = f", {now / then:.3g} times as large as at the first look" if grown else ""
            yield "size", Finding(
                f"{run.node.who}: '{top.name}' is exploding: root mean square {now:.3g}{since}", "learning rate",
                run.name, top.name, iteration, span=run.node.located.span,
                suggestion="a smaller base_lr, clip_gradients or a smaller weight_filler")


def _params(solver: Solver, look: Look, iteration: int) -> Iterator[tuple[str, Finding]]:
    net = solver.net
    for param in owned(net):
        seen = look.params.get(param.id)
        if seen is None or param.lr_mult == 0 or not param.init.learns or solver.lr == 0:
            continue
        run = net.steps[param.layer]
        if not run.step.backward:
            continue  # the plan says so, before anything runs
        if seen.gradient != 0 < seen.value and len(param.init.shape) > 1:
            yield from _speed(solver, param, seen, iteration)


def _speed(solver: Solver, param: Param, seen: ParamLook, iteration: int) -> Iterator[tuple[str, Finding]]:
    name, run = param_name(solver.net, param), solver.net.steps[param.layer]
    span = solver.located.span_of("base_lr")
    if FAST <= seen.ratio < math.inf:
        yield "fast", Finding(
            f"{run.node.who}: each update changes '{name}' by {seen.ratio:.2g} times its size (about 0.001 is usual)",
            "learning rate", run.name, name, iteration, span=span, suggestion="a smaller base_lr, or clip_gradients")
    elif 0 <= seen.change < SLOW * seen.value:
        by = f"by only {seen.ratio:.1g} of its size" if seen.change else "not at all"
        yield "slow", Finding(
            f"{run.node.who}: an update changes '{name}' {by}, for it is below float32's rounding",
            "learning rate", run.name, name, iteration, span=span,
            suggestion=f"a larger base_lr (it is {solver.lr:g} now)")


def dead_relu(solver: Solver, run: RunStep, seen: LayerLook, iteration: int) -> Finding:
    """A rectifier most of whose units are 0 for every item."""
    feeder = _feeder(solver, run)
    link = (Link(f"fed by layer '{feeder.name}' ({feeder.type})", feeder.node.located.span),) if feeder else ()
    return Finding(
        f"{run.node.who}: {seen.dead:.0%} of its units are 0 for the whole batch and pass no gradient", "dead ReLU",
        run.name, run.tops[0].name, iteration, span=run.node.located.span, chain=link,
        suggestion="a smaller base_lr, a bias_filler not below 0, or a negative_slope")


def saturated(solver: Solver, run: RunStep, seen: LayerLook, iteration: int) -> Finding:
    """A Sigmoid or TanH whose values are nearly all at the ends of its range."""
    feeder = _feeder(solver, run)
    link = (Link(f"fed by layer '{feeder.name}' ({feeder.type})", feeder.node.located.span),) if feeder else ()
    return Finding(
        f"{run.node.who}: {seen.saturated:.0%} of its values are saturated and pass next to no gradient", "saturated",
        run.name, run.tops[0].name, iteration, span=run.node.located.span, chain=link,
        suggestion="smaller inputs: scale the data, a smaller weight_filler or a smaller base_lr")


def constant_output(solver: Solver, run: RunStep, iteration: int) -> Finding:
    """A layer that answers the same to every item of the batch."""
    if zero_weights(run):
        return Finding(f"{run.node.who}: its weights are all 0, so its output is the same for every item", "zero filler",
                       run.name, run.tops[0].name, iteration, span=run.node.spec.option_span(run.step.inferred.params[0].option),
                       suggestion="give it a weight_filler such as xavier or msra")
    return Finding(f"{run.node.who}: its output is the same for every item of the batch", "unknown", run.name,
                   run.tops[0].name, iteration, span=run.node.located.span,
                   suggestion="look at its bottoms and weights with `netdef grads`")


def _values_a_unit(run: RunStep) -> int:
    shape = run.tops[0].shape
    return run.tops[0].count // shape[1] if len(shape) > 1 and shape[1] else 0


def _feeder(solver: Solver, run: RunStep) -> RunStep | None:
    maker = made_by(solver.net.plan, run.node, 0)
    return None if maker is None else solver.net.steps[maker]


def _input_varies(solver: Solver, run: RunStep, look: Look) -> bool:
    """Whether some bottom differs from item to item: else a constant output is no fault of this layer."""
    values = [solver.net.plan.description.values[b] for b in run.node.bottoms if b is not None]
    return any(not look.layers[v.maker].alike[v.top] for v in values if v.top < len(look.layers[v.maker].alike))
