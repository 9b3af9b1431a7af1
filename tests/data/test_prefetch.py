"""Reading ahead: the same results for any number of workers, errors in their turn, and no thread that stays."""
from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from netdef.data.prefetch import Prefetch
from netdef.errors import DataError
from netdef.rng import Stream


def threads():
    return [t.name for t in threading.enumerate() if t.name.startswith("netdef ")]


def reader(make, ahead=3, workers=2):
    return Prefetch(make, lambda job: job + 1, ahead, workers, "data")


@pytest.mark.parametrize("ahead, workers", [(0, 1), (1, 1), (3, 2), (4, 9)])
def test_whatever_is_asked_for_comes(ahead, workers):
    made = []

    def make(job):
        time.sleep(0.002 * (job % 3))  # so that workers overtake each other
        made.append(job)
        return job * job

    ring = reader(make, ahead, workers)
    jobs = [0, 1, 2, 3, 4, 9, 10, 11, 3, 4, 4, 5, 6, 0]
    assert [ring.get(job) for job in jobs] == [job * job for job in jobs]
    ring.close()
    assert not threads()
    assert ahead or made == jobs


def test_a_net_that_runs_once_starts_no_thread():
    ring = reader(lambda job: job)
    for job in (0, 5, 3):
        ring.get(job)
    assert not threads()
    ring.get(4)
    assert threads()
    ring.close()
    assert not threads()
    assert ring.get(5) == 5, "it can go on after close"
    ring.close()


def test_it_reads_so_far_ahead_and_no_farther():
    made = []
    ring = reader(lambda job: made.append(job) or job, ahead=3)
    for job in range(3):
        ring.get(job)
    time.sleep(0.1)
    assert sorted(made) == [0, 1, 2, 3, 4, 5]
    ring.close()


def test_an_error_comes_in_its_turn_and_names_the_worker():
    def make(job):
        if job == 4:
            raise DataError("record 4: bad", where="db")
        return job

    ring = reader(make)
    assert [ring.get(job) for job in range(4)] == [0, 1, 2, 3]
    with pytest.raises(DataError, match=r"db: error: record 4: bad\n    read ahead by worker \d") as caught:
        ring.get(4)
    assert len(caught.value.notes) == 1
    with pytest.raises(DataError) as caught:
        ring.get(4)
    assert not caught.value.notes, "done on the spot this time"
    assert ring.get(5) == 5
    ring.close()


def test_waiting_is_counted():
    ring = reader(lambda job: time.sleep(0.1), ahead=2, workers=2)
    ring.get(0)
    assert 0.09 < ring.waited < 1
    ring.get(1)
    time.sleep(0.4)
    before = ring.waited
    ring.get(2)
    assert ring.waited - before < 0.09, "it was there already"
    ring.close()


@pytest.mark.compiled
def test_no_compiled_kernel_runs_on_a_worker():
    from netdef.kernels import table

    seen = []

    def make(job):
        return Stream(1, "x", job).bits(1 << 17)

    ring = reader(make)
    with table.watched(seen.append):
        ahead = [ring.get(job) for job in range(4)]
    ring.close()
    assert seen == ["philox_bits", "philox_bits"], "jobs 0 and 1 are done by the caller, the others unwatched"
    for job in range(4):
        assert np.array_equal(ahead[job], make(job)), "the bits are the same"
