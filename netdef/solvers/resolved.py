"""A solver and its nets as they were resolved, as files that train the same again wherever they lie.

Written out are: what --set, --weights, --level, --stage and --seed said, the current spellings of upgraded fields, every
default of the solver, the seed that was drawn, and full paths of data that the config names relative to itself or to the
working directory. Fields that have no effect here (solver_mode, device_id) are left out. Defaults of layers are not
written, for some layers tell a field that is given from its default.
"""
from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from netdef import data
from netdef.config.located import Located
from netdef.config.paths import BUILTIN, resolve
from netdef.config.write import to_prototxt
from netdef.errors import Collector, ConfigError, DataError
from netdef.solvers.nets import Source, load_source, test_sources, train_source
from netdef.solvers.resume import first_weights
from netdef.solvers.solver import Solver

SOLVER = "solver.prototxt"
_ABSENT = ("solver_mode", "device_id", "layer_wise_reduce", "solver_type")  # without effect here
_ZERO = ("momentum", "weight_decay", "display", "test_interval")  # what they are when unset, without a default in the schema
_PATH = re.compile(r"(^|_)(source|file|folder|path|list)($|_)|file$")


def resolved(solver: Solver, weights: Sequence[str] = (), level: int | None = None, stages: Sequence[str] = ()
             ) -> dict[str, str]:
    """The text of each file by name: solver.prototxt, its nets, and Python files of layers beside them.

    ``weights``, ``level`` and ``stages`` are those that the solver was made with beyond its file.
    """
    files: dict[str, str] = {}
    message = type(solver.param)()
    message.CopyFrom(solver.located.message)
    _fill(message)
    message.random_seed = solver.net.seed
    paths = [Path(path) for path in weights] or first_weights(solver.located)
    del message.weights[:]
    message.weights.extend(os.path.abspath(path) for path in paths)
    if level is not None:
        message.train_state.level = level
    message.train_state.stage.extend(stages)
    if level is None and not stages and not solver.param.HasField("train_state"):
        message.ClearField("train_state")
    for source in dict.fromkeys([train_source(solver.located), *test_sources(solver.located)]):
        _put_net(message, source, load_source(solver.located, source, Collector()), files)
    files[SOLVER] = to_prototxt(message)
    return files


def _fill(message: Any) -> None:
    for field in message.DESCRIPTOR.fields:
        if field.name in _ABSENT:
            message.ClearField(field.name)
        elif field.has_default_value and not message.HasField(field.name):
            setattr(message, field.name, field.default_value)
    for name in _ZERO:
        if not message.HasField(name):
            setattr(message, name, 0)


def _put_net(message: Any, source: Source, net: Located, files: dict[str, str]) -> None:
    """Write a net that has a file of its own, or lay it into the solver where it stood there."""
    found = type(net.message)()
    found.CopyFrom(net.message)
    _full_paths(found, net.file)
    _take_modules(found, net.file, files)
    inline = source.field.endswith("_param")
    if inline:
        held = getattr(message, source.field)
        (held if source.index is None else held[source.index]).CopyFrom(found)
        return
    name = f"{source.field}{'' if source.index is None else f'_{source.index}'}.prototxt"
    files[name] = to_prototxt(found)
    if source.index is None:
        setattr(message, source.field, name)
    else:
        getattr(message, source.field)[source.index] = name


def _full_paths(message: Message, config: str) -> None:
    """Make the paths of files that are there absolute, in a message and all inside it."""
    for field, value in message.ListFields():
        repeated = hasattr(value, "extend")
        if field.message_type is not None:
            for inner in value if repeated else [value]:
                _full_paths(inner, config)
        elif field.cpp_type == field.CPPTYPE_STRING and field.type == field.TYPE_STRING and _PATH.search(field.name):
            if repeated:
                value[:] = [_full(text, config) for text in value]
            else:
                setattr(message, field.name, _full(value, config))


def _full(text: str, config: str) -> str:
    if not text or text.startswith(BUILTIN):
        return text
    if text.partition(":")[0] in data.KINDS:  # a source: a kind, paths, options
        try:
            return data.resolved(text, lambda path: _full(path, config))
        except DataError:
            return text
    try:
        found = str(resolve(text, config))
    except ConfigError:
        return text  # an output, or a name of something else
    return found + "/" if text.endswith("/") else found


def _take_modules(net: Any, config: str, files: dict[str, str]) -> None:
    """Copy the modules of Python layers that lie beside the config."""
    for layer in net.layer:
        if layer.HasField("python_param"):
            path = Path(config).parent / f"{layer.python_param.module}.py"
            if path.is_file():
                files[path.name] = path.read_text(encoding="utf-8", errors="surrogateescape")
