"""Which layers belong to a state: the include and exclude rules."""
from __future__ import annotations

from typing import Any

from netdef.config.located import Located
from netdef.errors import GraphError
from netdef.graph.model import State

PHASES = ("TRAIN", "TEST")


def merged_state(net: Any, phase: str | None, level: int | None, stages: tuple[str, ...]) -> State:
    """The net's own ``state`` with what the caller gives on top; stages add up, as in Caffe."""
    own = net.state
    return State(
        phase=phase or PHASES[own.phase],
        level=own.level if level is None else level,
        stages=tuple(own.stage) + tuple(stages),
    )


def reason_to_drop(located: Located, state: State) -> str | None:
    """None if the layer is kept, else one sentence. Raises GraphError for a layer with both kinds of rules.

    No rules: kept. Include rules: kept if one matches. Exclude rules: dropped if one matches.
    Inside one rule every condition must hold.
    """
    layer = located.message
    if layer.include and layer.exclude:
        raise GraphError(f"layer '{layer.name}' ({layer.type}): has both include and exclude rules",
                         where=located.span_of("exclude", 0), hint="keep one kind")
    if layer.include:
        mismatches = [_mismatch(rule, state) for rule in layer.include]
        if all(mismatches):
            return f"no include rule matches: {mismatches[0]}"
        return None
    for rule in layer.exclude:
        if _mismatch(rule, state) is None:
            return "an exclude rule matches"
    return None


def _mismatch(rule: Any, state: State) -> str | None:
    """The first condition of a rule that the state does not meet, or None."""
    if rule.HasField("phase") and PHASES[rule.phase] != state.phase:
        return f"it is for phase {PHASES[rule.phase]}"
    if rule.HasField("min_level") and state.level < rule.min_level:
        return f"it is for level {rule.min_level} and up"
    if rule.HasField("max_level") and state.level > rule.max_level:
        return f"it is for level {rule.max_level} and below"
    for stage in rule.stage:
        if stage not in state.stages:
            return f"it is for stage '{stage}'"
    for stage in rule.not_stage:
        if stage in state.stages:
            return f"it is not for stage '{stage}'"
    return None
