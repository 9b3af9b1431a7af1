"""BLAS's own threads, kept out of the way of the kernels' threads while a net runs.

OpenBLAS (which NumPy brings along) splits every product over its own pool. While OpenMP's threads of the compiled kernels
are awake the two pools fight for the cores: a product of 0.2 ms was measured at 16 ms. With one thread BLAS is also
bit-equal from run to run and for any number of kernel threads.
"""
from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

_NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads64_",
          "openblas_{}_num_threads")

Controls = tuple[Callable[[], int], Callable[[int], None]]


@cache
def controls() -> Controls | None:
    """OpenBLAS's functions that read and set its number of threads, or None where NumPy uses another BLAS."""
    for path in _libraries():
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for name in _NAMES:
            if hasattr(library, name.format("set")):
                read, write = getattr(library, name.format("get")), getattr(library, name.format("set"))
                read.restype, write.argtypes, write.restype = ctypes.c_int, [ctypes.c_int], None
                return read, write
    return None


def _libraries() -> list[str]:
    """Paths of OpenBLAS libraries: those loaded now (Linux), else those that lie beside NumPy."""
    if platform.system() == "Linux":
        try:
            lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        return list(dict.fromkeys(line.split(maxsplit=5)[5] for line in lines if "openblas" in line and "/" in line))
    beside = Path(np.__file__).parent
    folders = [beside.parent / "numpy.libs", beside / ".dylibs"]
    return [str(p) for folder in folders if folder.is_dir() for p in folder.glob("*openblas*")]


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside the block BLAS uses one thread; what it used before comes back after it. Costs a few microseconds."""
    found = controls()
    if found is None:
        yield
        return
    read, write = found
    before = read()
    if before == 1:
        yield
        return
    write(1)
    try:
        yield
    finally:
        write(before)
