"""Which snapshots stay, and in which order the others go."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

import netdef
from netdef.solvers import events as e
from netdef.solvers.keep import Keeper


def iters():
    return sorted(int(p.stem.rpartition("_")[2]) for p in Path().glob("s_iter_*.solverstate"))


def weights_of():
    return sorted(int(p.stem.rpartition("_")[2]) for p in Path().glob("s_iter_*.caffemodel") if ".ema" not in p.name)


@pytest.fixture
def scripted(squares, monkeypatch):
    """``scripted(losses, text)``: a solver whose tests, one an iteration, see these losses."""

    def make(values, text):
        from netdef.solvers import solver as module
        from netdef.solvers.evaluate import Scores

        left = iter(values)
        monkeypatch.setattr(module, "evaluate",
                            lambda net, passes, go_on, **how: Scores([e.Output("loss", next(left), 1.0)], 0.0, None))
        return squares('snapshot_prefix: "s" test_iter: 1 test_interval: 1 monitor: "loss" ' + text)

    return make


def test_the_last_ones(squares):
    solver = squares('snapshot_prefix: "s" snapshot: 2 snapshot_keep: 2 max_iter: 9')
    gone = []
    solver.listen(lambda event: gone.append(event.iter) if isinstance(event, e.SnapshotDeleted) else None)
    solver.solve()
    assert iters() == weights_of() == [8, 9] and gone == [2, 4, 6]


def test_all_stay_unless_said_otherwise(squares):
    squares('snapshot_prefix: "s" snapshot: 2 max_iter: 6').solve()
    assert iters() == [2, 4, 6]


def test_the_best_ones_beside_the_last(scripted):
    solver = scripted([9, 5, 7, 3, 8, 8, 4, 8, 8], "snapshot: 4 snapshot_keep: 1 snapshot_best: 2 max_iter: 8")
    solver.solve()
    assert iters() == weights_of() == [3, 6, 8]
    assert {k.iter: k.value for k in solver.keeper.entries} == {3: 3, 6: 4, 8: 8}


def test_best_ones_alone_leave_the_due_ones(scripted):
    scripted([9, 5, 7, 3, 8, 8, 4], "snapshot: 2 snapshot_best: 1 snapshot_after_train: false max_iter: 6").solve()
    assert iters() == [2, 3, 4, 6]


def test_most_is_best_for_what_is_no_loss(scripted):
    scripted([1, 5, 2, 7, 3, 3], "snapshot_best: 2 monitor_mode: MAX max_iter: 5 snapshot_after_train: false").solve()
    assert iters() == [1, 3]


def test_nan_is_never_among_the_best(scripted):
    scripted([float("nan"), 5, float("nan"), 7], "snapshot_best: 9 max_iter: 3 snapshot_after_train: false").solve()
    assert iters() == [1, 3]


def test_averages_go_with_their_snapshot(squares):
    squares('snapshot_prefix: "s" snapshot: 1 snapshot_keep: 1 max_iter: 3 ema_decay: 0.9').solve()
    assert sorted(p.name for p in Path().glob("s_*")) == ["s_iter_3.caffemodel", "s_iter_3.ema.caffemodel",
                                                          "s_iter_3.solverstate"]


def test_the_state_goes_before_its_weights_and_both_after_the_new_ones_are_whole(squares, monkeypatch):
    solver = squares('snapshot_prefix: "s" snapshot: 1 snapshot_keep: 1')
    solver.step(1)
    order = []
    for name, place in (("replace", 1), ("unlink", 0)):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, name=name, place=place, **k: (
            order.append((name, Path(a[place]).name)), real(*a, **k))[1])
    solver.step(1)
    shown = [step for step in order if step[1].startswith("s_")]
    assert shown == [("replace", "s_iter_2.caffemodel"), ("replace", "s_iter_2.solverstate"),
                     ("unlink", "s_iter_1.solverstate"), ("unlink", "s_iter_1.caffemodel")]


def test_what_an_end_between_the_two_left_is_deleted_by_the_next_run(squares):
    text = 'snapshot_prefix: "s" snapshot: 1 snapshot_keep: 2 '
    solver = squares(text)
    solver.step(3)
    assert weights_of() == [2, 3]
    Path("s_iter_1.caffemodel").write_bytes(b"left over")  # as if the process had ended before this one went
    again = squares(text, snapshot="s_iter_3.solverstate")
    again.step(1)
    assert iters() == weights_of() == [3, 4]


def test_snapshots_of_another_prefix_are_not_touched(squares):
    squares('snapshot_prefix: "s" snapshot: 1 snapshot_keep: 3 max_iter: 3').solve()
    again = squares('snapshot_prefix: "t" snapshot: 1 snapshot_keep: 1 max_iter: 6', snapshot="s_iter_3.solverstate")
    again.solve()
    assert iters() == [1, 2, 3]
    assert sorted(p.name for p in Path().glob("t_*")) == ["t_iter_6.caffemodel", "t_iter_6.solverstate"]


def test_going_on_from_the_same_prefix_counts_what_was_there(squares):
    text = 'snapshot_prefix: "s" snapshot: 1 snapshot_keep: 2 '
    squares(text + "max_iter: 3").solve()
    squares(text + "max_iter: 4", snapshot="s_iter_3.solverstate").solve()
    assert iters() == [3, 4]


def test_a_file_that_cannot_be_deleted_is_told_and_tried_again(squares, monkeypatch, caplog):
    solver = squares('snapshot_prefix: "s" snapshot: 1 snapshot_keep: 1')
    solver.step(1)
    real = os.unlink

    def refuse(path, *args, **kwargs):
        if "iter_1" in str(path):
            raise PermissionError(13, "Permission denied")
        real(path, *args, **kwargs)

    monkeypatch.setattr(os, "unlink", refuse)
    solver.step(1)
    assert iters() == [1, 2] and "cannot delete an old snapshot: Permission denied" in caplog.text
    monkeypatch.setattr(os, "unlink", real)
    solver.step(1)
    assert iters() == [3]


def test_ties_keep_the_earlier_one():
    keeper = Keeper(0, 1, less=True)
    keeper.entries = keeper.with_new(1, Path("a"), [], False, 2.0)
    assert not keeper.wants(2.0) and keeper.wants(1.9)
    keeper.entries = keeper.with_new(2, Path("b"), [], False, 2.0)
    assert [k.iter for k in keeper.prune()] == [2]


def test_a_resume_from_a_best_snapshot_is_exact(squares):
    """It was taken after a test, and holds the state before it: the test is done again, with the same numbers."""
    text = ('snapshot_prefix: "s" test_iter: 2 test_interval: 3 monitor: "loss" snapshot_best: 9 max_iter: 9 '
            'lr_policy: "plateau" gamma: 0.5 plateau_patience: 1')
    straight = squares(text)
    seen = []
    straight.listen(lambda event: seen.append(event) if isinstance(event, (e.Tested, e.Monitored)) else None)
    straight.solve()
    assert 3 in iters()
    again = netdef.Solver("solver.prototxt", snapshot="s_iter_3.solverstate")
    later = []
    again.listen(lambda event: later.append(event) if isinstance(event, (e.Tested, e.Monitored)) else None)
    again.solve()
    assert [event for event in seen if event.iter >= 3] == later
    assert all((a.data == b.data).all() for a, b in zip(straight.net.params["ip"], again.net.params["ip"], strict=True))
