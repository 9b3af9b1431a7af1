"""What a killed process leaves of a snapshot is put in order by the next run or snapshot there."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

from netdef.solvers.recover import tidy
from netdef.weights import atomic, locked

pytestmark = pytest.mark.skipif(not atomic.LOCKS, reason="locks of POSIX systems")
MODEL, STATE = Path("s_iter_3.caffemodel"), Path("s_iter_3.solverstate")
ASIDE = Path(".s_iter_3.previous.caffemodel")


@pytest.fixture
def saved(squares):
    """Two solvers of different seeds after three iterations; the first has a snapshot."""
    solvers = [squares('momentum: 0.9 snapshot_prefix: "s" ema_decay: 0.9', seed=seed) for seed in (1, 2)]
    for solver in solvers:
        solver.step(3)
    solvers[0].snapshot()
    return solvers


def test_weights_that_the_state_needs_come_back(saved):
    """Killed after the new weights, before the new state: as after an error, the old snapshot is whole again."""
    old = MODEL.read_bytes()
    os.link(MODEL, ASIDE)
    saved[1].net.save(MODEL)
    assert MODEL.read_bytes() != old
    assert tidy("s") == [MODEL]
    assert MODEL.read_bytes() == old and not ASIDE.exists()


def test_weights_that_are_missing_come_back(saved):
    old = MODEL.read_bytes()
    MODEL.rename(ASIDE)
    assert tidy("s") == [MODEL] and MODEL.read_bytes() == old
    MODEL.rename(ASIDE)
    STATE.unlink()
    assert tidy("s") == [MODEL] and MODEL.read_bytes() == old


def test_a_second_name_that_nobody_needs_goes(saved):
    """Killed after the new state."""
    ASIDE.write_bytes(MODEL.read_bytes())
    saved[1].snapshot()
    ASIDE.write_bytes(b"the old weights")
    new = MODEL.read_bytes()
    tidy("s")
    assert MODEL.read_bytes() == new and not ASIDE.exists()


def test_averages_have_second_names_too(saved):
    averages, aside = Path("s_iter_3.ema.caffemodel"), Path(".s_iter_3.ema.previous.caffemodel")
    old = averages.read_bytes()
    averages.rename(aside)
    saved[1].net.save(averages)
    assert tidy("s") == [averages] and averages.read_bytes() == old


@pytest.mark.parametrize("state", [b"damaged", None])
def test_what_cannot_be_told_stays(saved, state):
    """A state that cannot be read, or that knows neither file."""
    if state is not None:
        STATE.write_bytes(state)
    MODEL.write_bytes(b"one")
    ASIDE.write_bytes(b"two")
    assert tidy("s") == []
    assert (MODEL.read_bytes(), ASIDE.read_bytes()) == (b"one", b"two")


def test_what_a_living_process_works_on_stays(saved):
    os.link(MODEL, ASIDE)
    with locked(ASIDE) as free:
        assert free and tidy("s") == [] and ASIDE.exists()
    tidy("s")
    assert not ASIDE.exists()


def test_the_next_snapshot_and_the_next_run_tidy_up(saved, squares):
    left, foreign = Path(".s_iter_9.solverstate.0123456789ab.tmp"), Path(".t_iter_9.solverstate.0123456789ab.tmp")
    for take in (saved[0].snapshot, lambda: squares('snapshot_prefix: "s" snapshot: 5').step(1)):
        left.write_bytes(b"x")
        foreign.write_bytes(b"x")
        take()
        assert not left.exists() and foreign.exists()


def test_another_process_leaves_a_snapshot_in_the_making_alone(saved, monkeypatch):
    """Its second name is the only copy of what the state on the disk belongs to."""
    from netdef import weights

    real, seen = weights.write_solverstate, []

    def write(*args, **options):
        seen.append((ASIDE.exists(), tidy("s"), ASIDE.exists()))
        real(*args, **options)

    monkeypatch.setattr(weights, "write_solverstate", write)
    saved[1].snapshot()
    assert seen == [(True, [], True)] and not ASIDE.exists()
