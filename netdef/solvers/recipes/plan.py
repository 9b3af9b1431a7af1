"""From a RecipeParameter to a RecipePlan: every solver read, every net planned, every reference checked, before anything
runs."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from netdef.config.located import Located
from netdef.errors import Collector, Span
from netdef.graph.model import GraphPlan
from netdef.solvers.nets import plan_nets
from netdef.solvers.policies import find_policy
from netdef.solvers.recipes import coverage, freezing, links, sharing
from netdef.solvers.recipes.fields import check_fields, who
from netdef.solvers.recipes.model import Feed, Gradient, Member, RecipePlan, Stage, layer_params
from netdef.solvers.recipes.solverof import is_lent, solver_of
from netdef.solvers.recipes.sources import Known, plan_taken
from netdef.solvers.rules import find_rule
from netdef.solvers.settings import check_settings


def plan_recipe(recipe: Located, errors: Collector | None = None) -> RecipePlan:
    """The plan of a recipe; raises ConfigErrors with everything that is wrong in its fields, or, where these are sound, in
    its first stage that cannot work (those behind may build on it)."""
    collector = errors if errors is not None else Collector()
    check_fields(recipe, collector)
    collector.raise_all()
    places = {stage.message.name: stage for stage in recipe.children("stage")}
    stages: dict[str, Stage] = {}
    for name, located in places.items():
        with collector:
            stages[name] = _stage(located, Known(recipe, stages, places))
        if name not in stages:
            break
    collector.found = list({str(error): error for error in collector.found}.values())  # nets of one file: told once
    collector.raise_all()
    return RecipePlan(recipe.message.name or "recipe", recipe, tuple(stages.values()))


@dataclass
class _Draft:
    """A member in the making."""

    name: str
    who: str
    located: Located
    solver: Located
    plan: GraphPlan
    frozen: dict[str, Span] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    feeds: tuple[Feed, ...] = ()
    gradients: tuple[Gradient, ...] = ()


def _stage(located: Located, known: Known) -> Stage:
    errors = Collector()
    turns = located.children("turn")
    drafts = {m.message.name: d for m in turns or [located]
              if (d := _draft(m, located if turns else None, known.recipe, errors)) is not None}
    errors.raise_all()
    plans = {name: d.plan for name, d in drafts.items()}
    if turns:
        _link(drafts, plans, who(located), errors)
    for d in drafts.values():
        freezing.freeze(d.plan, d.frozen)
    errors.raise_all()
    members = [m for d in drafts.values() if (m := _member(d, located, known, errors)) is not None]
    errors.raise_all()
    members = _share(members, located, errors)
    final = {m.name: m.plan for m in members}
    held = {m.name: set(layer_params(m.plan)) if m.lent else set(m.frozen) for m in members}
    members = [replace(m, gradients=links.usable(m.name, final, m.gradients, drafts[m.name].who, errors)) for m in members]
    coverage.check_coverage(members, held, {n: d.fixed for n, d in drafts.items()}, {n: d.who for n, d in drafts.items()},
                            errors)
    errors.raise_all()
    return Stage(located.message.name, located, tuple(members), located.message.rounds if turns else 0,
                 _digest(located, members))


def _draft(located: Located, stage: Located | None, recipe: Located, errors: Collector) -> _Draft | None:
    """The solver with its nets, the train net's plan as its file says, and what is to be frozen."""
    name = who(located, stage)
    solver = solver_of(located, recipe, name, errors)
    if solver is None:
        return None
    before = len(errors.found)
    with errors:
        draft = _Draft(located.message.name, name, located, solver, freezing.draft(solver))
        layers = layer_params(draft.plan)
        draft.fixed = {layer for layer, params in layers.items() if not any(p.learns for p in params)
                       and any(p.init.learns for p in params)}
        if is_lent(located):
            draft.frozen = {layer: located.span_of("iter") for layer in layers}
        else:
            draft.frozen = freezing.named_layers(located, draft.plan, name, errors)
        return draft if len(errors.found) == before else None
    return None


def _link(drafts: Mapping[str, _Draft], plans: Mapping[str, GraphPlan], stage: str, errors: Collector) -> None:
    """Feeds and gradients, and what they need of the nets: an input open to the gradient, a net that takes one."""
    for name, d in drafts.items():
        d.feeds = links.plan_feeds(d.located, name, plans, d.who, errors)
    feeds = {name: d.feeds for name, d in drafts.items()}
    links.check_order(feeds, stage, errors)
    for name, d in drafts.items():
        d.gradients = links.plan_gradients(d.located, name, plans, feeds, d.who, errors)
        for gradient in d.gradients:
            freezing.open_inputs(drafts[gradient.source].plan, {there for there, _ in gradient.pairs})
        if d.gradients:
            d.solver.child("train_net_param").set("force_backward", True, d.gradients[0].located.span)


def _member(d: _Draft, stage: Located, known: Known, errors: Collector) -> Member | None:
    """The member as it will run, all of its solver checked."""
    before = len(errors.found)
    turn = d.located.message.DESCRIPTOR.name == "RecipeTurn"
    iterations = stage.message.rounds * d.located.message.iter if turn else d.solver.message.max_iter
    if turn:
        d.solver.set("max_iter", iterations, stage.span_of("rounds"))
    if not is_lent(d.located):
        check_settings(d.solver, errors)
        for find in (find_policy, find_rule):
            with errors:
                find(d.solver)
    plans = plan_nets(d.solver, None, (), errors)
    if plans is None:
        return None
    taken = plan_taken(d.located, known, [plans.train, *plans.tests], d.who, errors)
    if len(errors.found) > before:
        return None
    return Member(d.name, d.located, d.solver, plans, iterations, d.located.message.iter if turn else 0, taken,
                  tuple(d.frozen), d.feeds, d.gradients)


def _share(members: list[Member], stage: Located, errors: Collector) -> list[Member]:
    if not stage.message.turn:
        return members
    shared = sharing.plan_sharing([(m.name, m.plan) for m in members if m.located.message.share], who(stage), errors)
    errors.raise_all()
    return [replace(m, shared=shared.get(m.name, {})) for m in members]


def _digest(located: Located, members: list[Member]) -> str:
    """A fingerprint of all that decides what a stage computes."""
    digest = hashlib.blake2b(located.message.SerializeToString(deterministic=True), digest_size=16)
    for member in members:
        digest.update(member.solver.message.SerializeToString(deterministic=True))
    return digest.hexdigest()
