"""Compiling a kernel as one whole: what Numba does for every function by itself is done once, when all are together.

A kernel of ours consists of many functions: its helpers, the body of its parallel loop, Numba's wrapper of that body. Numba runs
LLVM's optimiser over each of them, with all it calls linked in, and makes machine code of each, so that the innermost helper is
optimised at every level above it; all but the outermost result is thrown away. Here an inner function is only kept as LLVM's
intermediate code, and the outermost one is optimised with everything in it. That halves the seconds of a first run.

Numba has no setting for it. What is used are the class of its libraries (one function and what it calls) and the place where
its code generator keeps that class; a Numba in which they are not found compiles in its own way, which takes longer and gives the
same results.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import codegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

_alone: set[str] = set()


def optimise_alone(name: str) -> None:
    """Have the function of this name optimised by itself too, before it is put into kernels."""
    _alone.add(name)


class _Rest:
    """A code generator for inner functions: they have no address at which Numba could leave their environment."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def set_env(self, env_name: str, env: Any) -> None:
        """Nothing: the environment serves to raise exceptions, which kernels do not."""


class _Inner(codegen.JITCodeLibrary):
    """An inner function: linked into others, never run by itself."""

    @property
    def codegen(self) -> Any:
        return _Rest(self._codegen)

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout
        if self.name in _alone:
            super()._optimize_functions(ll_module)

    def _optimize_final_module(self) -> None:
        if self.name in _alone:
            super()._optimize_final_module()

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        return 0


class _Classes:
    """Stands where Numba's code generator keeps the class of libraries; the one called ``name`` is of the usual class."""

    def __init__(self, usual: Any, name: str) -> None:
        self._usual = usual
        self._name = name
        self._unserialize = usual._unserialize  # a kernel from the cache

    def __call__(self, generator: Any, name: str, **options: Any) -> Any:
        return (self._usual if name == self._name else _Inner)(generator, name, **options)


_NEEDED = ("_optimize_functions", "_optimize_final_module", "_finalize_final_module", "_finalize_dynamic_globals", "_unserialize")


def known() -> bool:
    """Whether this Numba is built as this file expects."""
    generator = cpu_target.target_context.codegen()
    return (getattr(generator, "_library_class", None) is codegen.JITCodeLibrary
            and all(hasattr(codegen.JITCodeLibrary, name) for name in _NEEDED))


@contextmanager
def as_a_whole(name: str) -> Iterator[None]:
    """While it lasts, all that this thread compiles is put into the function whose qualified name this is; other threads'
    compilations wait."""
    cpu_target.target_context.refresh()  # Numba's own runtime is compiled before
    with global_compiler_lock:
        if not known():
            yield
            return
        generator = cpu_target.target_context.codegen()
        usual = generator._library_class
        generator._library_class = _Classes(usual, name)
        try:
            yield
        finally:
            generator._library_class = usual
