"""Stand-in modules: offered to imports for a while, never in place of a module that is really there.

Layers written for Caffe say ``import caffe``. While such a file runs, ``offering("caffe", make)`` answers that import,
unless a real caffe is installed or already imported. Outside of it nobody sees a caffe that is none.
"""
from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Finder(MetaPathFinder, Loader):
    """Answers one name. It stands last among Python's finders, so that everything real is found before it."""

    def __init__(self, name: str, make: Callable[[], ModuleType]) -> None:
        self.name = name
        self.make = make
        self.made: ModuleType | None = None

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
                  ) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        self.made = self.make()
        return self.made

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: ``make`` gave it all."""


@contextmanager
def offering(name: str, make: Callable[[], ModuleType]) -> Iterator[None]:
    """Inside the block, ``import name`` gives ``make()`` where there is no such module otherwise.

    ``make`` should give the same module each time, since classes of it are compared. Files imported in the block keep
    what they have; ``sys.modules`` is as before at its end.
    """
    finder = _Finder(name, make)
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        if finder.made is not None and sys.modules.get(name) is finder.made:
            del sys.modules[name]
