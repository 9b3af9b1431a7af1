"""Stopped: params that do not learn, and where on the way the gradient is lost.

``by_plan`` reads the plan, before anything runs; ``by_zero`` follows gradients that came out as exactly 0.
"""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from netdef.debug.finding import Finding, Link
from netdef.debug.health import Complaint, dead_relu, saturated
from netdef.debug.look import CURVES, Look, owned, param_name, zero_weights
from netdef.debug.reach import all_above, below, made_by
from netdef.errors import Span
from netdef.graph.model import Param
from netdef.runtime.executor import RunStep
from netdef.solvers.solver import Solver

RANDOM = {"uniform", "gaussian", "xavier", "msra", "positive_unitball"}


def by_plan(solver: Solver, loaded: bool = False) -> list[Finding]:
    """What the configs alone keep from learning; ``loaded``: the params came from a file, so frozen ones may be right."""
    net = solver.net
    learners = [p for p in owned(net) if p.init.learns]
    found = _settings(solver)
    if learners and all(p.lr_mult == 0 for p in learners):
        first = learners[0]
        layer = net.steps[first.layer]
        return [*found, Finding("no param of the net learns: each has lr_mult 0", "frozen", layer.name,
                                param_name(net, first), span=first.reason.span, suggestion="an lr_mult of 1 where it "
                                "should learn (it is the default)")]
    for param in learners:
        run = net.steps[param.layer]
        if param.lr_mult == 0 and not loaded and getattr(param.init.filler, "type", "") in RANDOM:
            found.append(_frozen(solver, param))
        elif param.lr_mult != 0 and not run.step.backward:
            found.append(_cut_off(solver, param))
    return grouped(found)


def by_zero(solver: Solver, look: Look, params: list[Param], iteration: int) -> list[Finding]:
    """Why these params, whose gradient was exactly 0 in the pass that ``look`` saw, got none: one finding a cause.

    A loss of 0 has nothing left to teach: then a loss layer that passes 0 down is no finding.
    """
    losses = {run.name for run in solver.net.steps if run.layer.is_loss}
    found = [_zero(solver, look, param, iteration) for param in params]
    return grouped([f for f in found if not (solver.net.loss == 0 and f.cause == "layer" and f.layer in losses)])


def zero_params(solver: Solver, look: Look) -> list[Param]:
    """The params that should have got a gradient in the pass that ``look`` saw and got exactly 0."""
    return [p for p in owned(solver.net) if p.lr_mult != 0 and p.init.learns and solver.net.steps[p.layer].step.backward
            and p.id in look.params and look.params[p.id].gradient == 0]


def without_echoes(zero: list[Finding], found: list[Complaint], look: Look, solver: Solver) -> list[Complaint]:
    """Leave out what follows from something else that was found.

    Units that are all dead, and constant outputs, come with gradients of 0, which were followed to their root; where
    units are dead or saturated, slow params below them are no news.
    """
    index = {run.name: run.node.index for run in solver.net.steps}
    weak = any(c.finding.cause in ("dead ReLU", "saturated") for c in found) or bool(zero)
    kept = []
    for complaint in found:
        kind = complaint.key[0].split("/")[1]
        all_dead = kind == "dead" and look.layers[index[complaint.finding.layer]].dead == 1
        if not (zero and (all_dead or kind == "constant")) and not (weak and kind == "slow"):
            kept.append(complaint)
    return kept


# what the configs say -----------------------------------------------------------------------------------------


def _settings(solver: Solver) -> list[Finding]:
    found = []
    if solver.lr == 0:
        field = "base_lr" if solver.param.base_lr == 0 else "lr_policy"
        found.append(Finding("the learning rate is 0, so nothing learns", "learning rate", iteration=solver.iter,
                             span=solver.located.span_of(field), suggestion="a base_lr above 0, such as 0.01"))
    if solver.param.clip_gradients == 0:
        found.append(Finding("clip_gradients is 0, which sets every gradient to 0", "clipping",
                             span=solver.located.span_of("clip_gradients"), suggestion="-1 turns clipping off"))
    return found


def _frozen(solver: Solver, param: Param) -> Finding:
    run, name = solver.net.steps[param.layer], param_name(solver.net, param)
    return Finding(f"{run.node.who}: '{name}' keeps its random first values: lr_mult is 0 and no weights were loaded",
                   "frozen", run.name, name, span=param.reason.span,
                   suggestion="an lr_mult of 1, or load trained weights with --weights")


def _cut_off(solver: Solver, param: Param) -> Finding:
    """A param whose layer has no backward to run: look for the weight, the flag or the gap that is the reason."""
    plan, run, name = solver.net.plan, solver.net.steps[param.layer], param_name(solver.net, param)
    found = Finding(f"{run.node.who}: '{name}' gets no gradient: {run.step.reason.text}", "disconnected", run.name, name,
                    span=run.node.located.span, suggestion="lead its output to a loss, or freeze it with lr_mult: 0")
    over = [param.layer, *all_above(plan, param.layer)]
    losses = [plan.steps[i].node for i in over if plan.steps[i].node.layer is not None
              and plan.steps[i].node.layer.is_loss]  # type: ignore[union-attr]
    silent = [n for n in losses if not any(n.loss_weights)]
    if silent and len(silent) == len(losses):
        span = silent[0].located.span_of("loss_weight", 0)
        return replace(found, cause="loss_weight", layer=silent[0].name, blob=name, span=span,
                       chain=(Link(f"{silent[0].who} is the loss above it, and counts with weight 0", span),),
                       suggestion="a loss_weight of 1 (the default)")
    for index in over:
        for edge, value in zip(plan.steps[index].edges, plan.steps[index].node.bottoms, strict=True):
            maker = None if value is None else plan.description.values[value].maker
            if maker in over and not edge.flows and _is_stop(edge.reason.text):
                who = plan.steps[index].node
                return replace(found, cause="stopped", layer=who.name, span=edge.reason.span,
                               chain=(Link(f"{who.who}: {edge.reason.text}", edge.reason.span),),
                               suggestion="let the gradient pass there, or freeze what lies below with lr_mult: 0")
    return found


def _is_stop(reason: str) -> bool:
    return "propagate_down" in reason or "taken as constant" in reason


# what the numbers say -----------------------------------------------------------------------------------------


def _zero(solver: Solver, look: Look, param: Param, iteration: int) -> Finding:
    run, name = solver.net.steps[param.layer], param_name(solver.net, param)
    found = _at_top(solver, look, run, iteration) if not look.layers[param.layer].gradient_in else None
    found = found or _at_bottom(solver, look, run, iteration) or Finding(
        "", "unknown", run.name, name, span=run.node.located.span, suggestion="`netdef check NET` checks the layer")
    what = f"iteration {iteration}: {run.node.who}: the gradient of '{name}' is 0"
    chain = (Link(found.what, found.span), *found.chain) if found.what else found.chain
    return replace(found, what=what, blob=found.blob or name, iteration=iteration, chain=chain)


def _at_top(solver: Solver, look: Look, run: RunStep, iteration: int) -> Finding | None:
    """Nothing comes down to the layer: the first layer above that takes a gradient and passes none on."""
    plan = solver.net.plan
    for index in all_above(plan, run.node.index):
        seen, culprit = look.layers[index], solver.net.steps[index]
        if seen.gradient_in and not seen.gradient_out and any(culprit.need.bottoms):
            return _culprit(solver, look, culprit, iteration)
    return None


def _culprit(solver: Solver, look: Look, run: RunStep, iteration: int) -> Finding:
    """Why a layer passes nothing down."""
    seen, node = look.layers[run.node.index], run.node
    if run.type == "ReLU":
        return _relu(solver, look, run, iteration)
    if run.type in CURVES:
        return saturated(solver, run, seen, iteration)
    if zero_weights(run):
        return _zero_weights(run)
    if run.layer.is_loss:
        ignore = getattr(getattr(run.layer, "normalization", None), "ignore", None)
        if ignore is not None and len(run.bottoms) > 1 and (run.bottoms[1].data == ignore).all():
            span = node.located.span_of("loss_param", "ignore_label")
            return Finding(f"{node.who}: every label of the batch is {ignore:g}, the ignore_label", "labels ignored",
                           node.name, run.bottoms[1].name, span=span,
                           suggestion="look at the labels, or take another ignore_label")
    return Finding(f"{node.who}: takes a gradient from above and passes 0 down", "layer", node.name,
                   run.bottoms[0].name, span=node.located.span, suggestion="`netdef check NET` checks its backward")


def _relu(solver: Solver, look: Look, run: RunStep, iteration: int) -> Finding:
    """A dead rectifier, or what lies below it and can give it nothing above 0: zero data, zero weights, a low bias."""
    feeder = made_by(solver.net.plan, run.node, 0)
    fed = solver.net.steps[feeder] if feeder is not None else None
    if fed is not None:
        deeper = _at_bottom(solver, look, fed, iteration)
        if deeper is not None:
            return deeper
        if zero_weights(fed):
            return _zero_weights(fed)
    found = dead_relu(solver, run, look.layers[run.node.index], iteration)
    if fed is None or len(fed.params) < 2:
        return found
    bias, init = fed.params[1].data, fed.step.inferred.params[1]
    given = getattr(init.filler, "value", 0.0) if getattr(init.filler, "type", "") == "constant" else 0.0
    if given < 0 and bias.max(initial=-np.inf) < 0:
        span = fed.node.located.span_of(fed.node.spec.options_field or "name", init.option, "value")
        link = Link(f"the bias of layer '{fed.name}' began at {given:g}, below anything its weights add", span)
        return replace(found, span=span, chain=(*found.chain, link), suggestion="a bias_filler of 0 or a little above")
    return found


def _at_bottom(solver: Solver, look: Look, run: RunStep, iteration: int) -> Finding | None:
    """A gradient comes down, but what it is multiplied by is 0: the first layer on the way down that made it so."""
    seen = set()
    front = [run.node.index]
    while front:
        index = front.pop(0)
        for maker in below(solver.net.plan, index):
            if maker in seen or not look.layers[maker].tops or look.layers[maker].tops[0] != 0:
                continue
            seen.add(maker)
            front.append(maker)
            feeding = [look.layers[m].tops[0] for m in below(solver.net.plan, maker) if look.layers[m].tops]
            if not feeding or any(feeding):
                return _zero_maker(solver, look, solver.net.steps[maker], iteration)
    return None


def _zero_maker(solver: Solver, look: Look, run: RunStep, iteration: int) -> Finding:
    """Why a layer makes nothing but 0."""
    if run.type == "ReLU":
        return _relu(solver, look, run, iteration)
    if zero_weights(run):
        return _zero_weights(run)
    if not run.bottoms:
        return Finding(f"{run.node.who}: all its data are 0", "zero data", run.name, run.tops[0].name,
                       span=run.node.located.span, suggestion="look at the source, and at scale in transform_param")
    return Finding(f"{run.node.who}: all its output is 0", "layer", run.name, run.tops[0].name,
                   span=run.node.located.span, suggestion="look at what it computes with `netdef grads`")


def _zero_weights(run: RunStep) -> Finding:
    span: Span = run.node.spec.option_span(run.step.inferred.params[0].option)
    return Finding(f"{run.node.who}: its weights are all 0, so no gradient passes through it", "zero filler", run.name,
                   f"{run.name}[0]", span=span, suggestion="give it a weight_filler such as xavier or msra (the default "
                   "is the constant 0)")


# several with one cause ---------------------------------------------------------------------------------------


def grouped(found: list[Finding]) -> list[Finding]:
    """One finding a cause and place; the others with it are named in its chain."""
    groups: dict[tuple[str, Span | None], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.cause, finding.span), []).append(finding)
    result = []
    for first, *rest in groups.values():
        names = [f.what.split(": ", 1)[-1] if f.iteration is not None else f.what for f in rest]
        if names:
            shown = "; ".join(names[:3]) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")
            first = replace(first, chain=(*first.chain, Link(f"the same for {shown}")))
        result.append(first)
    return result
