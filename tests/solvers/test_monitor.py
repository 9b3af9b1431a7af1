"""The monitor: which output, which direction, and what follows from it."""
from __future__ import annotations

import math

import pytest

import netdef
from netdef.solvers import events as e
from netdef.solvers.monitor import Monitor

TWO = """
layer { name: "rows" type: "Rows" top: "x" top: "y" }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "score" type: "ReLU" bottom: "ip" top: "score" include { phase: TEST stage: "b" } }
layer { name: "loss" type: "HalfSquares" bottom: "ip" bottom: "y" top: "loss" }
"""
TESTED = ('test_iter: 1 test_iter: 1 test_interval: 1 test_state { stage: "a" } test_state { stage: "b" } '
          'snapshot_prefix: "s" ')


def test_better_by_the_threshold():
    monitor = Monitor("x", 0, less=True, threshold=0.1)
    assert [monitor.check(v) for v in (10, 9.5, 8.9, math.nan, 8.9, -1, -1.05, -1.2)] == [
        True, False, True, False, False, True, False, True]
    assert (monitor.best, monitor.waited) == (-1.2, 0)
    monitor = Monitor("x", 0, less=False, threshold=0)
    assert [monitor.check(v) for v in (0.5, 0.5, 0.6)] == [True, False, True]


def test_its_state_there_and_back():
    monitor = Monitor("x", 0, True, 0)
    monitor.losses.extend([1, 2])
    for value in (3, 4):
        monitor.check(value)
    other = Monitor("x", 0, True, 0)
    other.set_state(monitor.state())
    assert other == monitor


@pytest.mark.parametrize(("text", "net", "name", "less"), [
    ('monitor: "loss"', 0, "loss", True), ('monitor: "1:loss"', 1, "loss", True),
    ('monitor: "score"', 1, "score", False), ('monitor: "score" monitor_mode: MIN', 1, "score", True),
    ('monitor: "train:loss" display: 1', None, "loss", True), ('monitor: "loss" monitor_mode: MAX', 0, "loss", False),
])
def test_which_output_it_is(solver_file, text, net, name, less):
    monitor = netdef.Solver(solver_file(TWO, TESTED + text)).monitor
    assert (monitor.net, monitor.name, monitor.less) == (net, name, less)


@pytest.mark.parametrize(("text", "expected"), [
    ("\nearly_stop: 2", "solver.prototxt:2:13: error: solver: monitor: missing; early_stop needs it; one of loss, score, "
                        "0:loss, 1:loss, 1:score, train:loss"),
    ("snapshot_best: 2", "snapshot_best needs it"),
    ('monitor: "los"', "no output 'los'; did you mean 'loss'?"),
    ('monitor: "0:score"', "no output '0:score'"),
    ('monitor: "7:loss"', "no output '7:loss'"),
    ('monitor: "train:loss"', "is looked at where display logs, and display is 0"),
    ('monitor: "loss" early_stop: -1', "early_stop: expected a number of at least 0"),
])
def test_what_is_refused(bad_solver, text, expected):
    assert expected in bad_solver(TESTED + text, TWO)


def test_the_value_of_several_numbers_is_their_mean():
    monitor = Monitor("a", 0, True, 0)
    assert monitor.value([e.Output("a", 1), e.Output("b", 9), e.Output("a", 2)]) == 1.5
    assert math.isnan(monitor.value([]))


class Scripted:
    """Makes the test net's loss follow a list."""

    def __init__(self, monkeypatch, values):
        from netdef.solvers import solver as module
        from netdef.solvers.evaluate import Scores

        self.values = iter(values)
        monkeypatch.setattr(module, "evaluate",
                            lambda net, passes, go_on, **how: Scores([e.Output("loss", next(self.values), 1.0)], 0.0, None))


def told(solver, *kinds):
    found = []
    solver.listen(lambda event: found.append(event) if isinstance(event, kinds) else None)
    return found


def test_plateaus_lower_the_rate(squares, monkeypatch):
    Scripted(monkeypatch, [5, 4, 4, 4, 4, 3, 3, 3, 3])
    solver = squares('lr_policy: "plateau" base_lr: 1 gamma: 0.1 min_lr: 0.005 monitor: "loss" plateau_patience: 2 '
                     "test_iter: 1 test_interval: 1")
    found = told(solver, e.RateLowered)
    rates = []
    solver.listen(lambda event: rates.append(event.lr) if isinstance(event, e.Updated) else None)
    solver.step(9)
    assert rates == pytest.approx([1, 1, 1, .1, .1, .1, .1, .01, .01])
    assert [(event.iter, event.lr) for event in found] == [(3, pytest.approx(0.1)), (7, pytest.approx(0.01))]


def test_an_early_stop(squares, monkeypatch):
    Scripted(monkeypatch, [5, 4, 6, 6, 6, 1])
    solver = squares('monitor: "loss" early_stop: 3 test_iter: 1 test_interval: 2 max_iter: 100 snapshot_prefix: "s"')
    found = told(solver, e.StoppedEarly, e.Finished, e.Snapshotted)
    solver.solve()
    assert solver.iter == 8 and solver.stopped
    assert found == [e.StoppedEarly(8, "loss", 4, 3), e.Snapshotted(8, "s_iter_8.caffemodel", "s_iter_8.solverstate"),
                     e.Finished(8, True)]


def test_who_steps_on_after_an_early_stop_means_it(squares, monkeypatch):
    Scripted(monkeypatch, [5, 6, 7, 8])
    solver = squares('monitor: "loss" early_stop: 1 test_iter: 1 test_interval: 2')
    solver.step(9)
    assert solver.iter == 2
    solver.step(9)
    assert solver.iter == 4 and solver.stopped


def test_all_test_nets_run_before_an_early_stop(solver_file):
    solver = netdef.Solver(solver_file(TWO, TESTED + 'monitor: "loss" early_stop: 1 base_lr: 0 max_iter: 9'), seed=1)
    solver.test_nets[0].forward = lambda: {"loss": __import__("numpy").float32([2])}
    found = told(solver, e.Tested, e.TestInterrupted)
    solver.solve()
    assert [(type(event).__name__, event.iter, event.net) for event in found] == [
        ("Tested", 0, 0), ("Tested", 0, 1), ("Tested", 1, 0), ("Tested", 1, 1)]


def test_the_train_nets_smoothed_loss(pull):
    solver = pull([4, 3, 2, 2, 2, 2, 2], 'monitor: "train:loss" early_stop: 2 display: 1 average_loss: 2 base_lr: 0 '
                                         'max_iter: 50 snapshot_prefix: "s"')
    found = told(solver, e.Monitored)
    solver.solve()
    assert [event.value for event in found] == pytest.approx([16, 14, 10, 8, 8, 8])
    assert solver.iter == 6


def test_tests_that_a_user_asks_for_are_not_looked_at(squares):
    solver = squares('monitor: "loss" early_stop: 1 test_iter: 1 test_interval: 5')
    found = told(solver, e.Monitored)
    for _ in range(3):
        solver.test_all()
    assert not found and solver.monitor.best is None
