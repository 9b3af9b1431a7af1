"""The plan of a recipe in words: what `netdef explain recipe.yaml` prints, and `netdef train` before it begins."""
from __future__ import annotations

import math
from collections.abc import Iterable

from netdef.config.spelling import float_text
from netdef.errors import Span
from netdef.graph.model import Param
from netdef.graph.render import shape_text, table
from netdef.solvers.recipes.coverage import origin
from netdef.solvers.recipes.model import Member, RecipePlan, Stage, layer_params

_KEEP = ("all snapshots", "the last snapshot", "the last weights")


def render_recipe(plan: RecipePlan) -> str:
    """All stages: what trains, what is frozen, where each param comes from, how many iterations."""
    count = len(plan.stages)
    parts = [f"recipe '{plan.name}': {count} stage{'' if count == 1 else 's'}, "
             f"{sum(s.iterations for s in plan.stages):,} iterations"]
    for number, stage in enumerate(plan.stages, 1):
        parts += ["", *_stage(stage, number, count)]
    return "\n".join(parts)


def stage_line(stage: Stage, number: int, count: int) -> str:
    """``stage 2 of 5: 'pre2', 600 iterations``."""
    if not stage.rounds:
        return f"stage {number} of {count}: '{stage.name}', {stage.iterations:,} iterations"
    turns = ", ".join(f"{m.name} {m.per_turn}" for m in stage.members if not m.lent)
    return f"stage {number} of {count}: '{stage.name}', {stage.rounds:,} rounds of {turns} in turns"


def _stage(stage: Stage, number: int, count: int) -> Iterable[str]:
    yield f"{stage_line(stage, number, count)} ({_short(stage.located.span)})"
    for member in stage.members:
        if stage.rounds:
            yield f"  {member.name}:"
        for line in _member(member, bool(stage.rounds)):
            yield ("    " if stage.rounds else "  ") + line
    yield f"  keeps {_KEEP[stage.located.message.keep]}" + (
        f"; saves every {stage.located.message.snapshot} rounds" if stage.located.message.snapshot else "")


def _member(member: Member, in_turns: bool) -> Iterable[str]:
    d, p = member.plan.description, member.solver.message
    yield f"net      '{d.name}' ({d.located.file}), {d.state}" + (", only lent: nothing in it learns" if member.lent else "")
    if not member.lent:
        yield (f"solver   {p.type}, base_lr {float_text(p.base_lr)} ({p.lr_policy}), {member.iterations:,} iterations" +
               (f", {member.per_turn} in each turn" if in_turns else ""))
    for feed in member.feeds:
        yield f"feed     '{feed.to}' is '{feed.blob}' of {feed.source} ({_short(feed.located.span)})"
    for gradient in member.gradients:
        times = "" if gradient.weight == 1 else f", times {float_text(gradient.weight)}"
        blobs = ", ".join(f"'{here}' from '{there}'" for there, here in gradient.pairs)
        yield f"gradient of the loss of {gradient.source}{times}: {blobs} ({_short(gradient.located.span)})"
    known = layer_params(member.plan)
    rows = [row for layer, params in known.items() for row in _layer(member, layer, params)]
    if rows:
        yield from table(rows, ("layer", "params", "values", "learns", "begins as"), [2]).splitlines()
    lowest = next((s.node.name for s in member.plan.steps if s.backward), None)
    if member.frozen and lowest is not None and not member.lent:
        yield f"backward ends at '{lowest}'"
    for taken in member.taken:
        tested = [here for _, here in taken.layers if here not in known]
        if tested:
            yield f"for its test net, from {taken.words}: {', '.join(tested)}"
        if taken.ignored and not (taken.located.message.layer or taken.located.message.rename):
            yield f"not taken from {taken.words}: {', '.join(taken.ignored)}, which the net does not have"


def _layer(member: Member, layer: str, params: list[Param]) -> Iterable[tuple[str, ...]]:
    """One row for a layer, or several where some of its params learn, or come from elsewhere."""
    rows: dict[tuple[str, str], list[Param]] = {}
    for p in params:
        source = origin(member, layer, p)
        rows.setdefault((_learns(member, layer, p), "" if source.startswith("filled") else source), []).append(p)
    for (learns, source), group in rows.items():
        shapes = ", ".join(shape_text(tuple(p.init.shape)) for p in group)
        values = sum(math.prod(p.init.shape) for p in group)
        fillers = dict.fromkeys(origin(member, layer, p).removeprefix("filled: ") for p in group)
        yield layer, shapes, f"{values:,}", learns, source or f"filled: {', '.join(fillers)}"


def _learns(member: Member, layer: str, param: Param) -> str:
    if param.learns:
        return "yes"
    if not param.init.learns and layer not in member.frozen:
        return "statistics"
    return "no" if member.lent or param.reason.span is None else f"no ({_short(param.reason.span)})"


def _short(span: Span) -> str:
    """``recipe.yaml:3:5``: the folder is known."""
    return f"{span.file.rpartition('/')[2]}:{span.line}:{span.column}"

