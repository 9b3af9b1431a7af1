"""Which nets a solver trains and tests: its sources, and the state of each (Caffe's rules, src/caffe/solver.cpp)."""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netdef.config.load import load_net
from netdef.config.located import Located
from netdef.config.paths import resolve
from netdef.errors import Collector, ConfigError, FieldError
from netdef.graph.build import build
from netdef.graph.filter import PHASES
from netdef.graph.model import GraphPlan
from netdef.solvers.settings import field_error

TRAIN_SOURCES = ("net", "net_param", "train_net", "train_net_param")


@dataclass(frozen=True)
class Source:
    """Where one net is written: a field of the solver (and its index where the field is repeated)."""

    field: str
    index: int | None = None


@dataclass(frozen=True)
class Plans:
    """The plan of the train net, and those of the test nets with their test_iter."""

    train: GraphPlan
    tests: tuple[GraphPlan, ...]
    test_iter: tuple[int, ...]


def plan_nets(solver: Located, level: int | None, stages: Sequence[str], errors: Collector) -> Plans | None:
    """Read and plan all nets of a solver; mistakes go into ``errors``, and then the result is None.

    ``level`` and ``stages`` add to the train net's state, as ``caffe train -level -stage`` does.
    """
    loaded: dict[Source, Located | None] = {}
    before = len(errors.found)
    train: GraphPlan | None = None
    tests: list[GraphPlan | None] = []
    with errors:
        source = train_source(solver)
        train = _plan(solver, source, "TRAIN", _state(solver, "train_state", None, level, stages), loaded, errors)
    with errors:
        for i, source in enumerate(test_sources(solver)):
            state = _state(solver, "test_state", i, None, ())
            with errors:
                tests.append(_plan(solver, source, "TEST", state, loaded, errors))
    errors.found[before:] = _without_repeats(errors.found[before:])
    planned = tuple(t for t in tests if t is not None)
    if len(errors.found) > before or train is None:
        return None
    return Plans(train, planned, tuple(solver.message.test_iter))


def train_source(solver: Located) -> Source:
    """The one train net; raises FieldError where there is none or more than one."""
    given = [f for f in TRAIN_SOURCES if solver.has(f)]
    if not given:
        raise FieldError("solver: no net to train", where=solver.span, hint="give it as net: \"path\"")
    if len(given) > 1:
        raise field_error(solver, given[1], f"the net to train is already given by '{given[0]}'",
                          f"keep one of {', '.join(TRAIN_SOURCES)}")
    return Source(given[0])


def test_sources(solver: Located) -> list[Source]:
    """The test nets in Caffe's order: test_net_param, test_net, then the train net's own file for what test_iter is
    left. Raises FieldError where test_iter, test_state or test_interval do not fit their number."""
    m = solver.message
    sources = [Source("test_net_param", i) for i in range(len(m.test_net_param))]
    sources += [Source("test_net", i) for i in range(len(m.test_net))]
    generic = next((f for f in ("net_param", "net") if solver.has(f)), None)
    given, named = len(m.test_iter), len(sources)
    if generic is not None and given > named:
        sources += [Source(generic)] * (given - named)
    if given != len(sources):
        raise field_error(solver, "test_iter", f"expected one for each test net ({len(sources)}), got {given}")
    if m.test_state and len(m.test_state) != len(sources):
        raise field_error(solver, "test_state", f"expected none, or one for each test net ({len(sources)}), got "
                          f"{len(m.test_state)}")
    if sources and m.test_interval <= 0:
        raise field_error(solver, "test_interval", "expected a number of at least 1 where there are test nets",
                          "it says after how many iterations a test is due")
    return sources


@dataclass(frozen=True)
class _State:
    phase: str | None
    level: int | None
    stages: tuple[str, ...]


def _state(solver: Located, field: str, index: int | None, level: int | None, stages: Sequence[str]) -> _State:
    """What train_state, or test_state number ``index``, lays over the net's own state."""
    written = getattr(solver.message, field)
    if index is not None:
        written = written[index] if index < len(written) else None
    if written is None:
        return _State(None, level, tuple(stages))
    return _State(PHASES[written.phase] if written.HasField("phase") else None,
                  level if level is not None else written.level if written.HasField("level") else None,
                  (*written.stage, *stages))


def _plan(solver: Located, source: Source, phase: str, state: _State, loaded: dict[Source, Located | None],
          errors: Collector) -> GraphPlan | None:
    """The plan of one net; its phase is the default one < the net's own < the solver's state."""
    if source not in loaded:
        loaded[source] = None  # a second user of a net that cannot be read stays silent
        loaded[source] = load_source(solver, source, errors)
    net = loaded[source]
    if net is None:
        return None
    return build(net, _phase(net, state, phase), state.level, state.stages)


def _phase(net: Located, state: _State, default: str) -> str:
    own = net.message.state
    return state.phase or (PHASES[own.phase] if own.HasField("phase") else default)


def train_arguments(solver: Located, net: Located) -> tuple[str, int | None, tuple[str, ...]]:
    """Phase, level and stages with which a solver's train net is built."""
    state = _state(solver, "train_state", None, None, ())
    return _phase(net, state, "TRAIN"), state.level, state.stages


def load_source(solver: Located, source: Source, errors: Collector) -> Located:
    """Read one net of a solver; mistakes go into ``errors``."""
    if source.field.endswith("_param"):
        return load_net(solver.child(source.field, source.index), errors=errors)
    name = getattr(solver.message, source.field)
    path = name if source.index is None else name[source.index]
    span = solver.span_of(*[p for p in (source.field, source.index) if p is not None])
    return load_net(short_path(resolve(path, solver.file, span)), errors=errors)


def short_path(path: Path) -> str:
    """Relative to the working directory where it lies below it: what messages should show."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _without_repeats(found: list[ConfigError]) -> list[ConfigError]:
    """Train and test nets are often one file: each mistake in it is told once."""
    return list({str(e): e for e in found}.values())
