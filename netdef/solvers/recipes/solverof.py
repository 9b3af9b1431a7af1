"""The solver of one stage or turn: its file, the recipe's fields laid over it, and its nets read into it."""
from __future__ import annotations

from netdef.config import schema
from netdef.config.load import load_solver
from netdef.config.located import Located, Spans
from netdef.config.paths import BUILTIN, resolve
from netdef.errors import Collector, FieldError, Span
from netdef.solvers.nets import TRAIN_SOURCES, Source, load_source, short_path, test_sources, train_source

_PATHS = ("net", "train_net", "test_net")
_TEST_SOURCES = ("test_net", "test_net_param")
_OF_THE_RECIPE = {"snapshot_prefix": "snapshots of a recipe go into the folder of the stage",
                  "weights": "write weights { file: ... } beside solver_param"}
_NOT_IN_TURNS = {"snapshot": "all nets of the stage are saved together: write snapshot, in rounds, beside turn",
                 "snapshot_keep": "write keep beside turn", "snapshot_best": "all nets of the stage are saved together",
                 "early_stop": "rounds says how long the stage lasts",
                 "max_iter": "rounds and iter say how many iterations"}


def solver_of(located: Located, recipe: Located, who: str, errors: Collector) -> Located | None:
    """The SolverParameter of a stage or turn with its nets in train_net_param and test_net_param.

    Mistakes go to ``errors``, and then the result is None.
    """
    before = len(errors.found)
    solver = Located(schema.new("SolverParameter"), Spans(located.span_of("solver_param")))
    with errors:
        if located.has("solver"):
            solver = load_solver(_file(located, recipe), errors=errors).copy()
    if located.has("solver_param"):
        with errors:
            lay_over(solver, load_solver(located.child("solver_param").copy(), errors=errors), recipe, who, errors,
                     located.message.DESCRIPTOR.name == "RecipeTurn")
    if len(errors.found) > before:
        return None
    with errors:
        _settle(solver, located, who, errors)
        return _with_nets(solver, is_lent(located), errors) if len(errors.found) == before else None
    return None


def _file(located: Located, recipe: Located) -> str:
    name: str = located.message.solver
    if name.startswith(BUILTIN):
        return name
    return short_path(resolve(name, recipe.file, located.span_of("solver")))


def lay_over(solver: Located, fields: Located, recipe: Located, who: str, errors: Collector, in_turns: bool) -> None:
    """Put the given fields in place of the solver's own, paths of nets as seen from the recipe; an empty list empties one."""
    refused = {**_OF_THE_RECIPE, **(_NOT_IN_TURNS if in_turns else {})}
    given = list(dict.fromkeys([*fields.spans.fields, *(d.name for d, _ in fields.message.ListFields())]))
    for old, named in ((TRAIN_SOURCES, set(given) & set(TRAIN_SOURCES)), (_TEST_SOURCES, set(given) & set(_TEST_SOURCES))):
        for name in old if named else ():
            solver.clear(name)
    for name in given:
        if name in refused and getattr(fields.message, name):
            errors.add(FieldError(f"{who}: solver_param.{name} has no place in a recipe{' in turns' * in_turns}",
                                  where=fields.span_of(name), hint=refused[name]))
            continue
        with errors:
            _copy_field(solver, fields, name, recipe)


def _copy_field(solver: Located, fields: Located, name: str, recipe: Located) -> None:
    info = schema.field_info("SolverParameter", name)
    value = getattr(fields.message, name)

    def final(text: str, span: Span) -> str:
        return short_path(resolve(text, recipe.file, span)) if name in _PATHS else text

    if info.repeated:
        solver.clear(name)
        elements = fields.children(name) if info.kind == "message" else value
        for i, element in enumerate(elements):
            span = fields.span_of(name, i)
            solver.append(name, final(element, span) if info.kind == "string" else element, span)
    elif info.kind == "message":
        solver.set(name, fields.child(name), fields.span_of(name))
    else:
        span = fields.span_of(name)
        solver.set(name, final(value, span) if info.kind == "string" else value, span)


def _settle(solver: Located, located: Located, who: str, errors: Collector) -> None:
    """Iterations, and what the recipe takes into its own hands."""
    if located.message.DESCRIPTOR.name == "RecipeTurn":
        for name in ("snapshot_best", "snapshot_keep", "early_stop"):
            if getattr(solver.message, name):
                errors.add(FieldError(f"{who}: {name} has no place in a recipe in turns", where=solver.span_of(name),
                                      hint=f"{_NOT_IN_TURNS[name]}; solver_param {{ {name}: 0 }} switches it off"))
        solver.clear("snapshot")
        if is_lent(located):
            for name in ("test_iter", "test_state", "test_interval", *_TEST_SOURCES):
                solver.clear(name)
    elif located.has("max_iter"):
        solver.set("max_iter", located.message.max_iter, located.span_of("max_iter"))
    elif not solver.has("max_iter"):
        errors.add(FieldError(f"{who}: max_iter: missing", where=located.span, hint="neither the recipe nor the solver says "
                              "how many iterations"))
    for name in ("snapshot_prefix", "snapshot_after_train"):  # the recipe's business; the last one is always taken
        solver.clear(name)


def is_lent(located: Located) -> bool:
    """Whether this is a turn that only lends its net."""
    return located.message.DESCRIPTOR.name == "RecipeTurn" and not located.message.iter


def _with_nets(solver: Located, lent: bool, errors: Collector) -> Located | None:
    """The solver with its nets read: one train_net_param, and a test_net_param for each test net, in their order."""
    train = train_source(solver)
    tests = [] if lent else test_sources(solver)
    before = len(errors.found)
    loaded: dict[Source, Located] = {}
    for source in [train, *tests]:
        if source not in loaded:
            with errors:
                loaded[source] = load_source(solver, source, errors)
    if len(errors.found) > before:
        return None
    spans = {source: solver.span_of(source.field) for source in loaded}
    for name in (*TRAIN_SOURCES, *_TEST_SOURCES):
        solver.clear(name)
    solver.set("train_net_param", loaded[train].copy(), spans[train])
    for source in tests:
        solver.append("test_net_param", loaded[source].copy(), spans[source])
    return solver
