"""Where compiled kernels are kept between runs.

Numba's own cache looks at the file of the function only: it does not notice a change in a helper of another file, and it lies
beside the source, which an installed package may not write to. Ours is the user's cache folder, one sub-folder for each digest of
all kernel sources and of the compiler, so that whatever changes makes a new folder and nothing stale is ever loaded. A process
that adds to the cache removes all but the folders used last.
"""
from __future__ import annotations

import hashlib
import logging
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding
import numba
from numba.core import caching

from netdef.errors import warn

log = logging.getLogger("netdef")

_HERE = Path(__file__).parent

KEPT = 3
"""Folders that stay: this version's, and those of two other versions of netdef, Numba or Python."""

_OURS = re.compile(r"[0-9a-f]{20}(\.gone-\d+)?")


def folder() -> Path:
    """The folder of this version's compiled kernels: ``$NETDEF_CACHE_DIR`` or the user's cache, then ``kernels/<digest>``.

    Raises RuntimeError where there is no home directory to put it in.
    """
    return user_cache() / "kernels" / digest()


def user_cache() -> Path:
    """``$NETDEF_CACHE_DIR``, or the folder in which this platform keeps what can be made again. Raises RuntimeError."""
    given = os.environ.get("NETDEF_CACHE_DIR")
    if given:
        return Path(given).expanduser().absolute()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "netdef" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "netdef"
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "netdef"


@lru_cache(maxsize=1)
def digest() -> str:
    """Twenty hex digits of all kernel sources, the versions of Python, Numba and llvmlite, and this CPU's features."""
    found = hashlib.sha256()
    for path in sorted(p for p in _HERE.rglob("*.py") if "reference" not in p.parts):
        found.update(f"{path.relative_to(_HERE).as_posix()}\0".encode())
        found.update(path.read_bytes())
    versions = (platform.python_implementation(), sys.version, numba.__version__, llvmlite.__version__)
    machine = (llvmlite.binding.get_process_triple(), llvmlite.binding.get_host_cpu_name(), _features(),
               os.environ.get("NETDEF_SIMD", ""))
    found.update(repr((versions, machine)).encode())
    return found.hexdigest()[:20]


def _features() -> str:
    try:
        return llvmlite.binding.get_host_cpu_features().flatten()
    except RuntimeError:  # not known on this platform
        return ""


class Locator(caching._CacheLocator):
    """Tells Numba to keep a function in ``folder()``; steps aside (None) where that cannot be."""

    def __init__(self, function: Callable[..., Any], path: Path) -> None:
        self._py_file = function.__code__.co_filename  # Numba's warnings name it
        self._line = function.__code__.co_firstlineno
        self._path = path

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> Locator | None:
        """A locator whose folder exists, or None; Numba then tries its own places."""
        try:
            locator = cls(py_func, folder())
            locator.ensure_cache_path()
        except (OSError, RuntimeError) as error:
            if isinstance(error, OSError) and locator._path.is_dir():
                return locator  # a filled cache on a read-only disk: what is in it can be used
            _warn_once(f"the kernel cache cannot be written ({error}); kernels may be compiled again in every run. "
                       "Set NETDEF_CACHE_DIR to a folder that can be written")
            return None
        return locator

    def get_cache_path(self) -> str:
        """The folder of the index and data files."""
        return str(self._path)

    def get_source_stamp(self) -> str:
        """What an entry must have been made from."""
        return digest()

    def get_disambiguator(self) -> str:
        """Tells functions of one name apart."""
        return str(self._line)


class _Files(caching.CompileResultCacheImpl):
    _locator_classes = [Locator, *caching.CacheImpl._locator_classes]


class KernelCache(caching.FunctionCache):
    """Numba's function cache in our folder; a damaged entry counts as absent, and a failed write as a warning."""

    _impl_class = _Files

    def __init__(self, function: Callable[..., Any], on_miss: Callable[[str], None]) -> None:
        super().__init__(function)
        self._on_miss = on_miss

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function, or None after telling ``on_miss`` the folder it will be kept in."""
        try:
            loaded = super().load_overload(sig, target_context)
        except Exception as error:  # whatever unpickling a truncated or foreign file may raise
            log.debug("kernel cache: unreadable entry in %s: %r", self.cache_path, error)
            loaded = None
            with suppress(OSError):
                self.flush()  # else saving would read the damaged index again
        if loaded is None:
            self._on_miss(f"cached in {self.cache_path}")
        return loaded

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function; warns once where the disk refuses."""
        try:
            super().save_overload(sig, data)
            _prune_once()
        except OSError as error:
            _warn_once(f"a compiled kernel could not be kept ({error}); it will be compiled again in the next run")


class NoCache(caching.NullCache):
    """For a place where nothing can be written: every first use compiles."""

    def __init__(self, on_miss: Callable[[str], None]) -> None:
        self._on_miss = on_miss

    def load_overload(self, sig: Any, target_context: Any) -> None:
        """Always absent."""
        self._on_miss("not cached")


def attach(dispatcher: Any, on_miss: Callable[[str], None]) -> None:
    """Give a Numba dispatcher its cache; ``on_miss`` gets a phrase about the place before each compilation."""
    try:
        dispatcher._cache = KernelCache(dispatcher.py_func, on_miss)
        _mark_used_once(dispatcher._cache.cache_path)
    except RuntimeError as error:  # Numba found no place at all
        _warn_once(f"compiled kernels cannot be kept: {error}")
        dispatcher._cache = NoCache(on_miss)


def prune(kernels: Path, keep: int = KEPT) -> list[str]:
    """Remove all folders of compiled kernels in ``kernels`` but the ``keep`` used last; the names of those removed.

    A folder is renamed first, so that for other processes it is there whole or not at all: they compile what they miss and
    make it anew. What another process removes or holds open at this moment is left to it.
    """
    def last_use(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0

    try:
        found = [path for path in kernels.iterdir() if _OURS.fullmatch(path.name) and path.is_dir()]
    except OSError:
        return []
    whole = sorted((path for path in found if not path.suffix), key=last_use, reverse=True)
    gone = [path for path in found if path.suffix]  # a process ended while it removed them
    removed = []
    for path in whole[keep:]:
        aside = path.with_name(f"{path.name}.gone-{os.getpid()}")
        with suppress(OSError):
            path.rename(aside)
            gone.append(aside)
            removed.append(path.name)
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return removed


@cache
def _prune_once() -> None:
    for name in prune(folder().parent):
        log.debug("kernel cache: removed %s, which was not used lately", name)


@cache
def _mark_used_once(path: str) -> None:
    """Give this version's folder the present time: the last use of a folder decides what is pruned."""
    with suppress(OSError):
        os.utime(path)


@cache
def _warn_once(message: str) -> None:
    warn(message)
