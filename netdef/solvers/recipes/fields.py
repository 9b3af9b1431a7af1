"""What a recipe's fields must say, as far as it can be told without reading any solver."""
from __future__ import annotations

import re

from netdef.config.located import Located
from netdef.errors import Collector, FieldError

_NAME = re.compile(r"[\w-][\w.-]*")  # it becomes a folder
_OF_A_SOLVER = ("solver", "solver_param", "max_iter", "weights", "strict", "freeze")
_OF_TURNS = ("rounds", "snapshot")


def check_fields(recipe: Located, errors: Collector) -> None:
    """Collect a FieldError for every name, number or combination of fields that cannot work."""
    if not recipe.message.stage and not recipe.broken:
        errors.add(FieldError("recipe: no stage", where=recipe.span, hint="give at least one, as in stage { name: \"train\" "
                              "solver: \"solver.prototxt\" }"))
    seen: dict[str, Located] = {}
    for stage in recipe.children("stage"):
        _check_name(stage, "stage", seen, errors)
        if stage.message.turn:
            _check_turns(stage, errors)
        else:
            _check_single(stage, errors)


def who(located: Located, of: Located | None = None) -> str:
    """``stage 'gan'`` or ``stage 'gan', turn 'generator'``."""
    if of is not None:
        return f"{who(of)}, turn '{located.message.name}'"
    return f"stage '{located.message.name}'" if located.message.name else "a stage without a name"


def _check_name(located: Located, what: str, seen: dict[str, Located], errors: Collector) -> None:
    name = located.message.name
    if not name:
        errors.add(FieldError(f"{what}: name: missing", where=located.span,
                              hint="others speak of it by its name" if not located.broken else ""))
    elif not _NAME.fullmatch(name):
        errors.add(FieldError(f"{what}: name: expected letters, digits, '_', '-' and '.', got '{name}'",
                              where=located.span_of("name"), hint="a folder is called so"))
    elif name in seen:
        errors.add(FieldError(f"{what}: '{name}' is the name of another {what}, at {seen[name].span_of('name')}",
                              where=located.span_of("name")))
    else:
        seen[name] = located


def _check_single(stage: Located, errors: Collector) -> None:
    for field in _OF_TURNS:
        if stage.has(field):
            errors.add(FieldError(f"{who(stage)}: {field} is for stages with turns", where=stage.span_of(field),
                                  hint="the solver's own snapshot counts iterations" if field == "snapshot" else
                                  "max_iter says how many iterations a solver runs"))
    _check_solver(stage, who(stage), errors)
    if stage.message.max_iter < 0:
        errors.add(FieldError(f"{who(stage)}: max_iter: expected at least 0, got {stage.message.max_iter}",
                              where=stage.span_of("max_iter")))


def _check_turns(stage: Located, errors: Collector) -> None:
    for field in _OF_A_SOLVER:
        if stage.has(field):
            hint = "rounds and the turns' iter say how many iterations" if field == "max_iter" else "write it in a turn"
            errors.add(FieldError(f"{who(stage)}: {field} does not go together with turn", where=stage.span_of(field),
                                  hint=hint))
    if not stage.has("rounds"):
        errors.add(FieldError(f"{who(stage)}: rounds: missing", where=stage.span,
                              hint="it says how many times everyone has a turn"))
    for field, least in (("rounds", 1), ("snapshot", 0)):
        value = getattr(stage.message, field)
        if stage.has(field) and value < least:
            errors.add(FieldError(f"{who(stage)}: {field}: expected at least {least}, got {value}",
                                  where=stage.span_of(field)))
    seen: dict[str, Located] = {}
    turns = stage.children("turn")
    for turn in turns:
        _check_name(turn, "turn", seen, errors)
        _check_solver(turn, who(turn, stage), errors)
        if turn.message.iter < 0:
            errors.add(FieldError(f"{who(turn, stage)}: iter: expected at least 0, got {turn.message.iter}",
                                  where=turn.span_of("iter")))
    if not any(turn.message.iter for turn in turns):
        errors.add(FieldError(f"{who(stage)}: none of its turns trains: every iter is 0", where=stage.span))


def _check_solver(located: Located, name: str, errors: Collector) -> None:
    if not located.has("solver") and not located.has("solver_param") and not located.broken:
        errors.add(FieldError(f"{name}: no solver", where=located.span,
                              hint="solver: \"path\" names a solver file, solver_param { ... } says its fields"))
    for weights in located.children("weights"):
        if weights.has("stage") == weights.has("file") and not weights.broken:
            errors.add(FieldError(f"{name}: weights: expected either stage or file", where=weights.span))
        for rename in weights.children("rename"):
            if not (rename.message.layer and rename.message.to) and not rename.broken:
                errors.add(FieldError(f"{name}: weights.rename: expected layer and to", where=rename.span))
