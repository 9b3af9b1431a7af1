"""Running averages of params: their values, who uses them, and their file."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netdef
from netdef.errors import SolverError
from netdef.solvers import events as e

EMA = 'ema_decay: 0.9 snapshot_prefix: "s" '


def averages(solver):
    return [b.data.copy() for layer in solver.averages().params.values() for b in layer]


def params(solver):
    return [b.data.copy() for layer in solver.net.params.values() for b in layer]


def equal(a, b):
    return all((x == y).all() for x, y in zip(a, b, strict=True))


def test_they_follow_the_formula(squares):
    solver = squares(EMA, dtype="float64")
    mean = params(solver)
    for t in range(5):
        solver.step(1)
        d = min(float(np.float32(0.9)), t / (10 + t))
        mean = [d * m + (1 - d) * w for m, w in zip(mean, params(solver), strict=True)]
        for mine, expected in zip(averages(solver), mean, strict=True):
            np.testing.assert_allclose(mine, expected, rtol=1e-12)


def test_params_that_no_rule_changes_are_copied(solver_file):
    text = ('layer { name: "rows" type: "Rows" top: "x" top: "y" } '
            'layer { name: "bn" type: "BatchNorm" bottom: "x" top: "bn" } '
            'layer { name: "ip" type: "InnerProduct" bottom: "bn" top: "ip" param { lr_mult: 1 } param { lr_mult: 0 } '
            'inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.5 } } } '
            'layer { name: "loss" type: "HalfSquares" bottom: "ip" bottom: "y" top: "loss" }')
    solver = netdef.Solver(solver_file(text, EMA), seed=2)
    solver.step(6)
    mean = solver.averages().params
    assert equal([b.data for b in mean["bn"]], [b.data for b in solver.net.params["bn"]])
    assert (mean["ip"][1].data == solver.net.params["ip"][1].data).all()
    assert (mean["ip"][0].data != solver.net.params["ip"][0].data).any()


def test_test_nets_use_them_and_the_train_net_does_not(squares):
    solver = squares(EMA + "test_iter: 3 test_interval: 100 base_lr: 0.3")
    first = solver.test_all()[0].loss
    plain = squares("test_iter: 3 test_interval: 100 base_lr: 0.3")
    assert first == plain.test_all()[0].loss, "before the first update they are the params"
    solver.step(5)
    plain.step(5)
    assert equal(params(solver), params(plain))
    tested = solver.test_all()[0].loss
    assert tested != plain.test_all()[0].loss
    plain.net.params["ip"][0].data[...], plain.net.params["ip"][1].data[...] = averages(solver)
    assert tested == plain.test_all()[0].loss
    assert solver.test_nets[0].params["ip"][0].data is not solver.net.params["ip"][0].data


def test_they_are_a_weights_file_of_the_snapshot(squares):
    solver = squares(EMA)
    solver.step(4)
    solver.snapshot()
    assert sorted(p.name for p in Path().glob("s_*")) == ["s_iter_4.caffemodel", "s_iter_4.ema.caffemodel",
                                                          "s_iter_4.solverstate"]
    net = netdef.Net("net.prototxt", weights="s_iter_4.ema.caffemodel")
    assert equal([b.data for b in net.params["ip"]], averages(solver))
    other = squares(EMA, seed=9, snapshot="s_iter_4.ema.caffemodel")
    assert equal(averages(other), averages(solver)) and equal(params(other), params(solver))


def test_a_snapshot_without_them_says_so(squares, caplog):
    solver = squares('snapshot_prefix: "s"')
    solver.step(2)
    solver.snapshot()
    other = squares(EMA, snapshot="s_iter_2.solverstate")
    assert "holds no averages" in caplog.text and equal(averages(other), params(solver))


def test_shared_params_have_one_average(solver_file):
    text = ('layer { name: "rows" type: "Rows" top: "x" top: "y" } '
            'layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } param { name: "b" } '
            'inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.5 } } } '
            'layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" } param { name: "b" } '
            'inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.5 } } } '
            'layer { name: "loss" type: "HalfSquares" bottom: "b" bottom: "x" top: "loss" } '
            'layer { name: "rest" type: "Silence" bottom: "y" }')
    solver = netdef.Solver(solver_file(text, EMA), seed=2)
    solver.step(3)
    mean = solver.averages().params
    assert np.shares_memory(mean["a"][0].data, mean["b"][0].data)
    solver.snapshot()
    other = netdef.Solver("solver.prototxt", snapshot="s_iter_3.solverstate")
    assert equal(averages(other), averages(solver))


def test_without_ema_decay_there_are_none(squares):
    with pytest.raises(SolverError, match="ema_decay"):
        squares().averages()


def test_the_events_of_a_test_are_the_same_with_averages(squares):
    solver = squares(EMA + "test_iter: 1 test_interval: 2")
    found = []
    solver.listen(lambda event: found.append(event.iter) if isinstance(event, e.Tested) else None)
    solver.step(3)
    assert found == [0, 2]
