"""The loop: what happens in which order, and what it tells."""
from __future__ import annotations

import logging
import math

import numpy as np
import pytest

import netdef
from netdef.solvers import events as e
from netdef.solvers.signals import SNAPSHOT, STOP

TESTED = "test_iter: 3 test_interval: 2 "


def told(solver):
    """The events from now on, as a list that grows."""
    found = []
    solver.listen(found.append)
    return found


def kinds(found):
    return [f"{type(event).__name__} {event.iter}" for event in found]


def test_the_order_of_an_iteration(squares):
    solver = squares(TESTED + 'display: 2 snapshot: 2 snapshot_prefix: "s"')
    found = told(solver)
    solver.step(3)
    assert kinds(found) == [
        "Testing 0", "Tested 0", "IterationStarted 0", "Displayed 0", "GradientsReady 0", "Updated 1",
        "IterationStarted 1", "GradientsReady 1", "Updated 2", "Snapshotting 2", "Snapshotted 2",
        "Testing 2", "Tested 2", "IterationStarted 2", "Displayed 2", "GradientsReady 2", "Updated 3"]


def test_the_first_test_can_be_left_out(squares):
    solver = squares(TESTED + "test_initialization: false")
    found = told(solver)
    solver.step(3)
    assert [k for k in kinds(found) if k.startswith("Tested")] == ["Tested 2"]


def test_solve_takes_a_last_snapshot_and_a_last_look(squares):
    solver = squares(TESTED + 'display: 2 max_iter: 4 snapshot_prefix: "s"')
    found = told(solver)
    solver.solve()
    assert kinds(found)[0] == "Started 0"
    assert kinds(found)[-6:] == ["Snapshotting 4", "Snapshotted 4", "FinalLoss 4", "Testing 4", "Tested 4",
                                 "Finished 4"]
    assert solver.iter == 4 and not solver.stopped


def test_the_last_snapshot_is_not_taken_twice(squares):
    solver = squares('max_iter: 4 snapshot: 2 snapshot_prefix: "s"')
    found = told(solver)
    solver.solve()
    assert [k for k in kinds(found) if k.startswith("Snapshotted")] == ["Snapshotted 2", "Snapshotted 4"]


def test_no_last_snapshot_where_the_solver_says_so(squares, tmp_path):
    squares('max_iter: 2 snapshot_after_train: false snapshot_prefix: "s"').solve()
    assert not list(tmp_path.glob("s_*"))


def test_max_iter_is_needed_to_solve_and_not_to_step(squares):
    solver = squares()
    solver.step(2)
    with pytest.raises(netdef.NetdefError, match="max_iter: missing"):
        solver.solve()


def test_training_lowers_the_loss(squares):
    solver = squares("base_lr: 0.2 momentum: 0.5 test_iter: 3 test_interval: 1000")
    before = solver.test_all()[0].loss
    solver.step(200)
    assert solver.test_all()[0].loss < 1e-3 * before


def test_the_loss_shown_is_the_mean_of_the_last_ones_and_begins_anew_with_each_call(pull):
    solver = pull([1, 2, 3, 4, 5], "average_loss: 3 display: 1 base_lr: 0")
    found = told(solver)
    solver.step(4)
    solver.step(1)
    shown = [event.loss for event in found if isinstance(event, e.Displayed)]
    assert shown == pytest.approx([4, 6, 8, 12, 20])


def test_the_loss_is_the_mean_over_iter_size_passes(pull):
    solver = pull([1, 2, 3], "iter_size: 3 base_lr: 0")
    found = told(solver)
    solver.step(1)
    assert [event.loss for event in found if isinstance(event, e.Updated)] == pytest.approx([8])


def test_displays_carry_rate_outputs_and_time(pull):
    solver = pull([3], 'base_lr: 0.5 lr_policy: "step" gamma: 0.1 stepsize: 1 display: 2')
    found = told(solver)
    solver.step(3)
    first, second = (event for event in found if isinstance(event, e.Displayed))
    assert (first.lr, second.lr) == (pytest.approx(0.5), pytest.approx(0.005))
    assert first.outputs == [e.Output("loss", 12.0, 1.0)] and second.interval == 2
    assert second.per_second == pytest.approx(2 / second.seconds)


def test_lr_is_the_rate_of_the_next_update(pull):
    solver = pull([3], 'base_lr: 1 lr_policy: "exp" gamma: 0.5')
    assert solver.lr == 1
    solver.step(2)
    assert solver.lr == 0.25


def test_values_may_be_changed_between_steps(pull):
    solver = pull([3], "base_lr: 1")
    solver.param.base_lr = 0.5
    solver.step(1)
    assert solver.net.params["pull"][0].data == pytest.approx(1 - 0.5 * 3)


def test_test_nets_use_the_params_of_the_train_net(squares):
    solver = squares(TESTED)
    mine, theirs = solver.net.params["ip"], solver.test_nets[0].params["ip"]
    scores = solver.test_all()[0]
    assert all(np.shares_memory(a.data, b.data) for a, b in zip(mine, theirs, strict=True))
    solver.step(3)
    assert solver.test_all()[0].loss < scores.loss


def test_a_test_is_the_mean_over_its_passes(squares, table):
    solver = squares(TESTED + "test_compute_loss: true")
    found = told(solver)
    scores = solver.test_all()[0]
    w, b = (p.data for p in solver.net.params["ip"])
    error = table[0] @ w.T + b - table[1]
    assert scores.loss == pytest.approx((error**2).sum() / 24, rel=1e-5)
    assert scores.outputs[0].value == pytest.approx(scores.loss) and scores.outputs[0].name == "loss"
    assert found[-1].loss == scores.loss
    solver.param.test_compute_loss = False
    solver.test_all()
    assert found[-1].loss is None


def test_a_loss_that_is_not_finite_is_warned_of_once_and_training_goes_on(pull, caplog):
    solver = pull([1, math.nan, 1], "base_lr: 1")
    with caplog.at_level(logging.WARNING, "netdef"):
        solver.step(4)
    assert solver.iter == 4
    assert len(caplog.records) == 1 and "the loss is nan at iteration 1" in caplog.text


def test_a_listener_can_have_an_update_left_out(pull):
    """Params and histories stay, the iteration counts; only the coming update is meant."""
    solver = pull([1, math.nan, 1], "base_lr: 1 momentum: 0.5")

    def skip(event):
        if isinstance(event, e.GradientsReady) and not math.isfinite(event.loss):
            solver.skip_update()

    solver.listen(skip)
    solver.step(1)
    v = solver.update.rule.history
    before = [b.data.copy() for b in solver.net.param_blobs], [h.copy() for h in v]
    solver.step(1)
    assert solver.iter == 2
    assert all((a == b.data).all() for a, b in zip(before[0], solver.net.param_blobs, strict=True))
    assert all((a == b).all() for a, b in zip(before[1], v, strict=True))
    solver.step(1)
    assert any((a != b.data).any() for a, b in zip(before[0], solver.net.param_blobs, strict=True))


def test_same_seed_same_run_and_another_seed_another(squares):
    runs = [squares(seed=seed) for seed in (1, 1, 2)]
    for solver in runs:
        solver.step(5)
    a, b, c = (solver.net.params["ip"][0].data for solver in runs)
    assert (a == b).all() and (a != c).any()
    written = [squares("random_seed: 1", seed=None), squares("random_seed: 7", seed=1)]
    for solver in written:
        solver.step(5)
        assert (solver.net.params["ip"][0].data == a).all()


def test_a_seed_of_minus_one_is_none(squares):
    assert squares("random_seed: -1", seed=None).net.seed != squares("random_seed: -1", seed=None).net.seed


def test_overrides(squares):
    assert squares("base_lr: 0.5", overrides=["base_lr=0.25", "iter_size=2"]).param.base_lr == 0.25


def test_weights_to_begin_with(squares, tmp_path):
    first = squares()
    first.step(3)
    first.net.save("w.caffemodel")
    w = first.net.params["ip"][0].data
    assert (squares(weights="w.caffemodel").net.params["ip"][0].data == w).all()
    assert (squares('weights: "w.caffemodel"').net.params["ip"][0].data == w).all()
    other = squares(seed=9)
    other.net.save("o.caffemodel")
    assert (squares('weights: "o.caffemodel,w.caffemodel"').net.params["ip"][0].data == w).all()
    assert (squares(weights=["w.caffemodel", "o.caffemodel"]).net.params["ip"][0].data
            == other.net.params["ip"][0].data).all()


def test_missing_weights_are_named_at_their_field(bad_solver):
    assert "no file 'w.caffemodel': tried" in bad_solver('weights: "w.caffemodel"')


def test_weights_and_a_snapshot_are_too_much(bad_solver):
    assert "expected weights or a snapshot, got both" in bad_solver("", weights="a", snapshot="b")


def test_a_stop_asked_for_in_an_iteration_ends_the_run_after_it(squares):
    solver = squares('max_iter: 9 snapshot_prefix: "s"')
    found = told(solver)
    solver.listen(lambda event: solver.signals.request(STOP) if event == e.IterationStarted(3) else None)
    solver.solve()
    assert solver.iter == 4 and solver.stopped
    assert kinds(found)[-3:] == ["Snapshotting 4", "Snapshotted 4", "Finished 4"] and found[-1].stopped
    solver.solve()
    assert solver.iter == 9 and not solver.stopped


def test_a_stop_asked_for_in_a_test_ends_it(squares):
    solver = squares(TESTED + 'max_iter: 9 snapshot_prefix: "s"')
    found = told(solver)
    solver.listen(lambda event: solver.signals.request(STOP) if event == e.Testing(4, 0) else None)
    solver.solve()
    assert solver.iter == 4
    assert kinds(found)[-4:] == ["TestInterrupted 4", "Snapshotting 4", "Snapshotted 4", "Finished 4"]
    solver.iter = 5
    assert solver.test_all()  # the next test runs


def test_a_snapshot_asked_for_is_taken_and_training_goes_on(squares):
    solver = squares(TESTED + 'max_iter: 5 snapshot_prefix: "s"')
    found = told(solver)
    solver.listen(lambda event: solver.signals.request(SNAPSHOT)
                  if event in (e.IterationStarted(0), e.Testing(4, 0)) else None)
    solver.solve()
    assert [k for k in kinds(found) if k.startswith("Snapshotted")] == ["Snapshotted 1", "Snapshotted 4",
                                                                       "Snapshotted 5"]


def test_an_error_in_a_listener_reaches_the_caller(squares):
    solver = squares()
    solver.listen(lambda event: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        solver.step(1)


def test_it_closes_its_nets_and_says_what_it_is(squares):
    with squares() as solver:
        assert repr(solver) == "<Solver SGD of 'squares' at iteration 0>"
