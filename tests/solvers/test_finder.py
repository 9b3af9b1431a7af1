"""The learning-rate finder: on a problem whose limits are known, and that it changes nothing."""
from __future__ import annotations

import copy
import os

import numpy as np
import pytest

from netdef.errors import SolverError
from netdef.solvers.finder import Found, advice, find_lr
from netdef.solvers.rules import rules


def everything(solver):
    params = [b.data.copy() for b in solver.net.param_blobs] + [h.copy() for h in solver.update.rule.history]
    return params, copy.deepcopy(solver.net.state()), solver.iter, solver.param.SerializeToString()


def same(a, b):
    return all((x == y).all() for x, y in zip(a[0], b[0], strict=True)) and a[1:] == b[1:]


def test_it_stays_below_where_gradient_descent_diverges(squares, table):
    """Gradient descent on least squares diverges from 2 / (largest eigenvalue of the Hessian) on."""
    solver = squares()
    found = find_lr(solver, 1e-4, 100, 120)
    x = np.hstack([table[0].astype(float), np.ones((12, 1))])
    limit = 2 / np.linalg.eigvalsh(x.T @ x / len(x)).max()
    assert found.diverged and found.rates[-1] > limit
    assert limit / 50 < found.suggestion < limit
    assert found.steepest < limit


def test_nothing_changes_and_the_seed_repeats_it(squares, tmp_path):
    text = 'momentum: 0.9 iter_size: 2 test_iter: 1 test_interval: 1 snapshot: 1 display: 1 snapshot_prefix: "s"'
    solver = squares(text)
    solver.step(3)
    files, before = sorted(os.listdir(tmp_path)), everything(solver)
    events = []
    solver.listen(events.append)
    first = find_lr(solver, 1e-3, 10, 40)
    assert same(everything(solver), before)
    assert not any(b.diff.any() for b in solver.net.params["ip"])
    assert find_lr(solver, 1e-3, 10, 40) == first
    assert sorted(os.listdir(tmp_path)) == files and events == []
    solver.step(1)


def test_an_error_on_the_way_leaves_it_as_it_was(squares):
    solver = squares("momentum: 0.9")
    before = everything(solver)

    def stop(i, rate, loss):
        if i == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_lr(solver, tell=stop)
    assert same(everything(solver), before)


@pytest.mark.parametrize("kind", sorted(rules()))
def test_any_rule_with_clipping_and_iter_size(squares, kind):
    solver = squares(f'type: "{kind}" iter_size: 2 clip_gradients: 1 weight_decay: 0.01')
    before = everything(solver)
    found = find_lr(solver, 1e-4, 10, 60)
    assert same(everything(solver), before)
    assert len(found.rates) == len(found.losses) <= 60
    assert found.suggestion is not None and 1e-4 <= found.suggestion <= 10


def test_policy_and_warm_up_do_not_count(squares):
    plain = find_lr(squares(), 1e-4, 10, 30)
    other = squares('lr_policy: "exp" gamma: 0.5 base_lr: 7 warmup_iter: 10')
    found = find_lr(other, 1e-4, 10, 30)
    assert found == plain
    told = " ".join(advice(other, found))
    assert "lr_policy exp begins with base_lr" in told and "warm-up of 10 iterations" in told and "(" in told


def test_a_loss_that_does_not_fall_gives_no_suggestion(squares):
    solver = squares()
    found = find_lr(solver, 1e-12, 1e-11, 20)
    assert found.suggestion is None and not found.diverged
    assert "did not fall" in advice(solver, found)[0]


def test_a_loss_that_is_not_finite_from_the_start(pull):
    found = find_lr(pull([float("nan")], ""))
    assert found.diverged and found.losses and found.suggestion is None


def test_the_suggestion_is_the_smaller_of_the_two():
    assert Found([], [], [], 0.0123, 1.0, True).suggestion == 0.012
    assert Found([], [], [], 0.5, 1.0, True).suggestion == 0.1


@pytest.mark.parametrize("values", [(0, 1, 20), (1, 1, 20), (1e-3, float("inf"), 20), (1e-3, 1, 9)])
def test_ranges_that_are_none(squares, values):
    with pytest.raises(SolverError, match="expected 0 < low < high"):
        find_lr(squares(), *values)
