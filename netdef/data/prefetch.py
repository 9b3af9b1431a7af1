"""Reading ahead: threads make the batches that will be asked for next, and what comes out never depends on them.

A batch is a pure function of its job, so a thread's work can be thrown away at any time: where another job is asked for than
was expected (after a resume, say), it is done on the spot.
"""
from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, NamedTuple, TypeVar

from netdef.errors import NetdefError
from netdef.kernels.table import plain_thread

J = TypeVar("J")
T = TypeVar("T")


class _Ahead(NamedTuple, Generic[J, T]):
    """A batch that is being made."""

    job: J
    future: Future[T]


class Prefetch(Generic[J, T]):
    """Makes batches by ``make(job)``, up to ``ahead`` of them before they are asked for, on ``workers`` threads.

    ``following(job)`` is the job that most likely comes next. Threads start with the second of two jobs in a row, so that a
    net which runs once starts none. ``name`` is the layer's, for messages. With ``ahead`` 0 nothing is read ahead.
    """

    def __init__(self, make: Callable[[J], T], following: Callable[[J], J], ahead: int, workers: int, name: str) -> None:
        self._make, self._following = make, following
        self.ahead, self.workers, self.name = ahead, max(1, min(workers, ahead)), name
        self.waited = 0.0
        """seconds that callers of ``get`` have waited so far"""
        self._ring: deque[_Ahead[J, T]] = deque()
        self._expected: J | None = None
        self._pool: ThreadPoolExecutor | None = None

    def get(self, job: J) -> T:
        """The batch of a job. Raises what ``make`` raises, with a note about the worker."""
        began = time.perf_counter()
        try:
            return self._get(job)
        finally:
            self.waited += time.perf_counter() - began

    def close(self) -> None:
        """End the threads; they end with the batch that they are at."""
        self._forget()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _get(self, job: J) -> T:
        in_turn, self._expected = job == self._expected, self._following(job)
        if self._ring and self._ring[0].job == job:
            future = self._ring.popleft().future
            self._fill()
            return self._result(future)
        self._forget()
        if in_turn:
            self._fill()
        return self._make(job)

    def _fill(self) -> None:
        """Set the threads to work on the jobs to come."""
        while self.ahead and self._expected is not None and len(self._ring) < self.ahead:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.workers, f"netdef {self.name}", plain_thread)
            job = self._following(self._ring[-1].job) if self._ring else self._expected
            self._ring.append(_Ahead(job, self._pool.submit(_worked, self._make, job)))

    def _result(self, future: Future[T]) -> T:
        try:
            return future.result()
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        for ahead in self._ring:
            ahead.future.cancel()
        self._ring.clear()


def _worked(make: Callable[[J], T], job: J) -> T:
    """Run on a worker; its errors say so."""
    try:
        return make(job)
    except NetdefError as error:
        worker = threading.current_thread().name.rpartition("_")[2]
        error.notes = (*error.notes, f"read ahead by worker {worker}")
        raise
