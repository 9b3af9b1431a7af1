"""Threads for compiled kernels: OpenMP, started at the first parallel kernel; how many; and what stands in where it is absent.

Numba's default, TBB, takes longer with every launch and leaks (measured), so it is never used. OpenMP's threads wait for the
next launch for a moment and then sleep: waking a sleeper costs a virtual machine up to a tenth of a millisecond (LeNet's step
took a fifth longer), but threads that never sleep take the processor from others, BLAS's own among them, which turned a matrix
product of 0.2 ms into 16 ms. Never fork a process after the first launch.
"""
from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from netdef.errors import warn

SPINS = "30000"
"""Turns of GNU OpenMP's waiting loop before a thread sleeps: a fraction of a millisecond."""

_start_lock = threading.Lock()
_layer = ""

LAUNCH_LOCK = threading.Lock()
"""Taken around every launch where ``layer()`` is "workqueue", which cannot be entered from two threads at once."""


def wanted() -> int | None:
    """``NETDEF_NUM_THREADS`` as a number, or None where it is not set. Raises ValueError where it is no count."""
    text = os.environ.get("NETDEF_NUM_THREADS", "").strip()
    if not text:
        return None
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"NETDEF_NUM_THREADS: expected a whole number from 1, got '{text}'")
    return int(text)


def count() -> int:
    """The most threads a kernel may run on: as many buffers as scratch for one thread each takes. Does not load Numba."""
    if "numba" in sys.modules:
        return int(sys.modules["numba"].config.NUMBA_NUM_THREADS)
    given = os.environ.get("NUMBA_NUM_THREADS", "").strip()
    if wanted() is not None or given.isdigit() and int(given) > 0:
        return wanted() or int(given)
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on this platform
        return os.cpu_count() or 1


def prepare() -> None:
    """Set what must be in the environment before Numba and OpenMP are loaded; called on import of ``jit``."""
    if "OMP_WAIT_POLICY" not in os.environ:  # else the user has decided
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    count = wanted()
    if count is not None and "numba" not in sys.modules:
        os.environ["NUMBA_NUM_THREADS"] = str(count)


def start() -> str:
    """Start the threading layer unless it runs; returns its name, "omp" or "workqueue"."""
    global _layer
    with _start_lock:
        if not _layer:
            _layer = _launch()
    return _layer


def _launch() -> str:
    import numba
    from numba.np.ufunc import parallel

    if str(numba.config.THREADING_LAYER).lower() not in ("omp", "workqueue"):
        numba.config.THREADING_LAYER = "default"
        numba.config.THREADING_LAYER_PRIORITY = ["omp", "workqueue", "tbb"]  # workqueue always loads: TBB is never reached
    parallel._launch_threads()
    layer = numba.threading_layer()
    if layer == "workqueue":
        warn("OpenMP is not available to Numba; kernels run one at a time on its slower built-in threads")
    elif layer != "omp":
        warn(f"Numba's threading layer was already '{layer}'; it is slower than OpenMP with many small launches")
    count = wanted()
    if count is not None:
        most = numba.config.NUMBA_NUM_THREADS
        if count > most:
            warn(f"NETDEF_NUM_THREADS is {count}, but Numba was loaded before with {most} threads")
        numba.set_num_threads(min(count, most))
    return layer


@contextmanager
def limited(count: int) -> Iterator[None]:
    """Inside the block, kernels launched from this Python thread use ``count`` threads (at most those that were started)."""
    import numba

    start()
    before = numba.get_num_threads()
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)
