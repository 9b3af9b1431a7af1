"""The one place that knows Numba's decorators: ``@kernel`` and ``@helper``, what was compiled, and compiling all at once.

A kernel states its one signature as text, so that it is compiled once, can be compiled without data, and takes read-only inputs::

    @kernel("f[1] f f![1]")
    def relu(x, slope, out): ...

``f[1]`` is a C-contiguous float32 array of rank 1 that is only read, ``f![1]`` one that is written; a letter alone is a scalar.
Letters: f float32, d float64, i int64, j int32, u uint32, b uint8. A kernel returns nothing. Compilation happens on the first
call, is announced on the logger ``netdef``, and is kept (see ``cache.py``).
"""
from __future__ import annotations

import gc
import logging
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from netdef.kernels import threads

threads.prepare()  # before Numba is loaded

import numba  # noqa: E402
from llvmlite import ir  # noqa: E402, F401 - intrinsics take these three from here
from numba import get_thread_id as thread_id  # noqa: E402, F401 - kernels take these from here
from numba import prange, types  # noqa: E402, F401
from numba.core import cgutils  # noqa: E402, F401
from numba.extending import intrinsic  # noqa: E402

from netdef.kernels import cache, whole  # noqa: E402

log = logging.getLogger("netdef")

_LETTERS = {"f": numba.float32, "d": numba.float64, "i": numba.int64, "j": numba.int32, "u": numba.uint32, "b": numba.uint8}
_TOKEN = re.compile(r"([a-z])(?:(!?)\[(\d)\])?")

_NOT_FROM_PYTHON = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

_lock = threading.RLock()
_kernels: list[Kernel] = []
_compiled = 0
_seconds = 0.0
_hits = 0


def compile_count() -> int:
    """How many kernels this process has compiled (those found in the cache do not count)."""
    return _compiled


def compile_seconds() -> float:
    """Seconds this process has spent on compiling them."""
    return _seconds


def hit_count() -> int:
    """How many kernels this process has taken from the cache."""
    return _hits


def kernels() -> list[Kernel]:
    """The kernels of the modules imported so far."""
    return list(_kernels)


class Kernel:
    """A Numba function with one signature, compiled when it is first called."""

    def __init__(self, function: Callable[..., None], signature: str, *, fastmath: Any = False) -> None:
        self.function = function
        self.name = function.__name__.strip("_")
        self.signature = signature
        self._options = {"parallel": "prange" in function.__code__.co_names, "fastmath": fastmath}
        self._run: Callable[..., None] | None = None
        _kernels.append(self)

    def __call__(self, *args: Any) -> None:
        (self._run or self.ready())(*args)

    def ready(self) -> Callable[..., None]:
        """The compiled function; compiles it or takes it from the cache the first time."""
        with _lock:
            if self._run is None:
                layer = threads.start()
                with _interrupts_held(), _no_collections():
                    run = self._make()
                self._run = _one_at_a_time(run) if layer == "workqueue" else run
        return self._run

    def _make(self) -> Callable[..., None]:
        global _compiled, _seconds, _hits
        misses: list[str] = []

        def on_miss(place: str) -> None:
            misses.append(place)
            log.info("compiling kernel %s (first run; %s)", self.name, place)

        # nogil: other Python threads (prefetch) go on; numpy error model: 1/0 is inf and needs no branch
        dispatcher = numba.njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True, **self._options)(self.function)
        cache.attach(dispatcher, on_miss)
        begin = time.perf_counter()
        with whole.as_a_whole(self.function.__qualname__):
            dispatcher.compile(_types(self.signature))
        dispatcher.disable_compile()  # a call with other types is a mistake of ours, not a reason to compile again
        if misses:
            _compiled += 1
            _seconds += time.perf_counter() - begin
        else:
            _hits += 1
        return dispatcher

    def __repr__(self) -> str:
        return f"<compiled kernel {self.name}({self.signature})>"


def kernel(signature: str, *, fastmath: bool = False) -> Callable[[Callable[..., None]], Kernel]:
    """Decorator: a function compiled by Numba, in parallel where it uses ``prange``.

    ``fastmath`` lets a sum be reordered so that it uses vector registers (the order is fixed when it is compiled, so
    results stay the same for any number of threads); NaN and infinities keep their meaning.
    """
    flags = {"reassoc", "nsz", "contract"} if fastmath else False
    return lambda function: Kernel(function, signature, fastmath=flags)


def helper(function: Callable[..., Any]) -> Any:
    """Decorator: a function that is called from kernels only, and compiled into them."""
    return numba.njit(nogil=True, error_model="numpy", inline="never", **_NOT_FROM_PYTHON)(function)


def reducer(function: Callable[..., Any]) -> Any:
    """Decorator: a ``helper`` that returns a sum and may take its terms in another order, so that it uses vector registers.

    It is optimised by itself, and so sums in one order whichever kernel it is called from: kernels that do several layers'
    work at once get the bits of those that do it one by one.
    """
    whole.optimise_alone(function.__qualname__)
    return numba.njit(nogil=True, error_model="numpy", inline="never", fastmath={"reassoc", "nsz", "contract"},
                      **_NOT_FROM_PYTHON)(function)


@intrinsic
def float_from_bits(typing_context, bits):
    """In kernels: the float32 whose bits are those of an int32."""
    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())
    return numba.float32(numba.int32), generate


def warm(progress: Callable[[int, int, str], None] | None = None) -> int:
    """Compile every kernel of the table that is not in the cache; returns how many that were.

    ``progress(done, total, name)`` is called before each.
    """
    from netdef.kernels.table import TABLE

    before = compile_count()
    for entry in TABLE.values():
        _ = entry.compiled  # imports its module
    todo = kernels()
    for done, each in enumerate(todo):
        if progress is not None:
            progress(done, len(todo), each.name)
        each.ready()
    return compile_count() - before


def _types(signature: str) -> tuple[Any, ...]:
    """Numba's types for a signature text."""
    found = []
    for token in signature.split():
        match = _TOKEN.fullmatch(token)
        if match is None or match[1] not in _LETTERS:
            raise ValueError(f"kernel signature: cannot read '{token}' in '{signature}'")
        scalar = _LETTERS[match[1]]
        array = match[3] and numba.types.Array(scalar, int(match[3]), "C", readonly=not match[2])
        found.append(array or scalar)
    return tuple(found)


def _one_at_a_time(run: Callable[..., None]) -> Callable[..., None]:
    """The function under the one lock that the workqueue layer needs."""
    def locked(*args: Any) -> None:
        with threads.LAUNCH_LOCK:
            run(*args)
    return locked


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keeps Python's garbage collector from running: a fifth of a compilation's time went into finding nothing to free."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keeps a first Ctrl-C back until the block ends (a second or two), so that Numba is not left half-way through a
    function. A second one is passed on at once, with the first: who asks twice wants the program to end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are handled in the main thread only
        return
    caught: list[Any] = []
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):  # ignored, or not ours to touch
        yield
        return

    def pass_on() -> None:
        while caught:
            before(*caught.pop(0))

    def note(number: int, frame: Any) -> None:
        caught.append((number, frame))
        if len(caught) == 2:
            pass_on()

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        pass_on()
