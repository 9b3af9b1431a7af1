"""Running a user's file for a Python layer: finding it, importing it, and saying where in it an error happened."""
from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import linecache
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from netdef import _alias
from netdef.errors import GraphError, NetdefError
from netdef.layers.base import LayerSpec
from netdef.layers.python_blobs import UserBlob, UserBlobs


class Phase(IntEnum):
    """``self.phase``: equal to Caffe's numbers, and ``str(self.phase)`` is the name."""

    TRAIN = 0
    TEST = 1

    def __str__(self) -> str:
        return self.name


class UserLayer:
    """Base class of layers in users' files, who know it as ``caffe.Layer``.

    ``setup`` is called once, ``reshape`` before each forward and whenever shapes are asked for (bottoms then hold
    zeros); tops get their shapes in either. bottom and top are lists of blobs with ``data``, ``diff``, ``shape``,
    ``num`` ... and ``reshape``. ``forward`` writes the tops' data. ``backward`` writes the diff of each bottom i with
    propagate_down[i], and adds to the diff of the params in ``blobs``.
    """

    param_str: str
    param_str_: str
    phase: Phase
    blobs: UserBlobs

    def setup(self, bottom: Sequence[UserBlob], top: Sequence[UserBlob]) -> None:
        """Read ``param_str``, check the bottoms, add params."""

    def reshape(self, bottom: Sequence[UserBlob], top: Sequence[UserBlob]) -> None:
        """Give the tops their shapes."""


@cache
def stand_in_caffe() -> ModuleType:
    """The module ``caffe`` for users' files: Layer, TRAIN and TEST."""
    module = ModuleType("caffe", "netdef's stand-in for pycaffe, for files that hold Python layers.")
    module.Layer = UserLayer  # type: ignore[attr-defined]
    module.TRAIN, module.TEST = Phase.TRAIN, Phase.TEST  # type: ignore[attr-defined]

    def missing(name: str) -> Any:
        raise AttributeError(f"this caffe has no '{name}': it is netdef's stand-in, with Layer, TRAIN and TEST only")

    module.__getattr__ = missing  # type: ignore[method-assign]
    return module


class UserCode:
    """The class that a Python layer's config names, and calls into it."""

    def __init__(self, spec: LayerSpec) -> None:
        self.spec = spec
        self.folders = _folders(spec)
        self.file = ""
        module = self._module(spec.options.module)
        self.file = getattr(module, "__file__", None) or ""
        self.cls = self._class(module, spec.options.layer)

    def call(self, what: str, function: Any, *args: Any) -> Any:
        """``function(*args)`` of the user's; an exception becomes a GraphError at the layer that names file and line."""
        try:
            with self._running():
                return function(*args)
        except NetdefError:
            raise
        except Exception as e:
            raise self._error(what, e) from e

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Imports in the block find what lies beside the config, and a caffe."""
        added = [f for f in self.folders if f not in sys.path]
        sys.path[:0] = added
        try:
            with _alias.offering("caffe", stand_in_caffe):
                yield
        finally:
            for folder in added:  # the user's file may have added others, which stay
                if folder in sys.path:
                    sys.path.remove(folder)

    def _module(self, name: str) -> ModuleType:
        found = next((file for folder in self.folders for file in _candidates(folder, name) if file.is_file()), None)
        try:
            with self._running():
                if found is None:
                    return importlib.import_module(name)
                return _import(name, found)
        except Exception as e:
            if found is None and _is_part(e, name):
                places = " and ".join(f"'{f}'" for f in self.folders)
                raise self.spec.error(f"no module '{name}': tried {places}, then Python's path", "module") from None
            self.file = str(found or "")
            raise self._error(f"module '{name}' cannot be imported", e, "module") from e

    def _class(self, module: ModuleType, name: str) -> type:
        found = getattr(module, name, None)
        if not inspect.isclass(found):
            classes = [k for k, v in vars(module).items() if inspect.isclass(v) and v.__module__ == module.__name__]
            raise self.spec.error(f"module '{module.__name__}' has no class '{name}'", "layer",
                                  hint=f"it has {', '.join(classes) or 'no classes'}")
        if not callable(getattr(found, "forward", None)):
            raise self.spec.error(f"class '{name}' has no forward", "layer")
        return found

    def _error(self, what: str, error: Exception, option: str = "layer") -> GraphError:
        """With the innermost place in the user's own file, or the innermost of all."""
        frames = [(f.filename, f.lineno or 0, f.name) for f in traceback.extract_tb(error.__traceback__)]
        if isinstance(error, SyntaxError) and error.filename:
            frames.append((error.filename, error.lineno or 0, ""))
        own = [f for f in frames if f[0] == self.file][-1:]
        name = f"{self.spec.options.layer}.{what}" if option == "layer" else what
        notes = []
        for file, line, function in dict.fromkeys([*own, *frames[-1:]]):
            notes += [f"{file}:{line}{f', in {function}' if function else ''}",
                      f"    {linecache.getline(file, line).strip()}"]
        text = str(error).splitlines()[0] if str(error) else ""
        return GraphError(f"{self.spec.who}: {name}: {type(error).__name__}{f': {text}' if text else ''}",
                          where=self.spec.option_span(option), notes=notes)


def _folders(spec: LayerSpec) -> list[str]:
    """Where modules are looked for first: the config's folder (unless it is no file) and the working directory."""
    here = Path.cwd()
    file = spec.located.file
    folders = [here] if file.startswith(("<", "--")) else [(here / file).parent, here]
    return list(dict.fromkeys(str(f) for f in folders))


def _candidates(folder: str, name: str) -> list[Path]:
    """The files that a dotted name may mean in a folder."""
    stem = Path(folder, *name.split("."))
    return [stem / "__init__.py", stem.with_name(stem.name + ".py")]


def _import(name: str, file: Path) -> ModuleType:
    """The module in this very file. Another module may have its name already (one beside another config)."""
    if name in sys.modules and _is(sys.modules[name], file):
        return sys.modules[name]
    if name not in sys.modules:
        try:
            module = importlib.import_module(name)
            if _is(module, file):
                return module
        except ModuleNotFoundError as e:
            if not _is_part(e, name):  # something else is missing
                raise
    own_name = f"{name}@{hashlib.blake2b(str(file).encode(), digest_size=4).hexdigest()}"
    if own_name in sys.modules:
        return sys.modules[own_name]
    spec = importlib.util.spec_from_file_location(own_name, file)
    assert spec is not None and spec.loader is not None  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[own_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[own_name]
        raise
    return module


def _is(module: ModuleType, file: Path) -> bool:
    found = getattr(module, "__file__", None)
    return found is not None and Path(found).resolve() == file.resolve()


def _is_part(error: Exception, name: str) -> bool:
    """Whether the error says that ``name``, or a package it lies in, was not found."""
    return (isinstance(error, ModuleNotFoundError) and error.name is not None
            and f"{name}.".startswith(f"{error.name}."))
