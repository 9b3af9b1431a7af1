"""Updates against numbers that BVLC Caffe 1.0 gave, and against the closed form of a least-squares problem."""
from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import netdef
from netdef.solvers.rules import rules


def weights(solver):
    return solver.net.params["pull"][0].data


def changes(solver, n):
    """How far the (four equal) weights went in each of n steps."""
    found = []
    for _ in range(n):
        before = weights(solver).copy()
        solver.step(1)
        moved = before - weights(solver)
        assert np.ptp(moved) == 0
        found.append(moved[0])
    return found


@pytest.mark.parametrize(("gradients", "text", "expected"), [
    ([3], "clip_gradients: 1 iter_size: 2 base_lr: 1", [0.25]),
    ([0], "clip_gradients: 0.001 weight_decay: 0.5 base_lr: 1", [0.5]),
    ([3], "clip_gradients: 0.001 weight_decay: 0.5 base_lr: 1", [0.5005]),
    ([3, 1.8], 'momentum: 0.5 base_lr: 0.1 lr_policy: "multistep" gamma: 0.1 stepvalue: 1', [0.3, 0.168]),
    ([3, 2.6], 'type: "Adam" base_lr: 0.1', [0.1, 0.0926]),
    ([3], "base_lr: 1 weight_decay: 0.5 regularization_type: \"L1\"", [3.5]),
    ([3], "clip_gradients: 100 base_lr: 1", [3]),
    ([3], "iter_size: 4 base_lr: 1", [3]),
    ([3], "clip_gradients: 0 base_lr: 1", [0]),
])
def test_numbers_that_caffe_gives(pull, gradients, text, expected):
    assert changes(pull(gradients, text), len(expected)) == pytest.approx(expected, abs=5e-5)


def test_lr_mult_and_decay_mult(solver_file):
    text = ('name: "two" layer { name: "a" type: "Pull" top: "la" param { lr_mult: 2 decay_mult: 0.5 } } '
            'layer { name: "b" type: "Pull" top: "lb" param { decay_mult: 0 } }')
    solver = netdef.Solver(solver_file(text, "base_lr: 0.5 weight_decay: 0.1"), dtype="float64")
    solver.step(1)
    assert solver.net.params["a"][0].data == pytest.approx(1 - 0.5 * 2 * (3 + 0.05))
    assert solver.net.params["b"][0].data == pytest.approx(1 - 0.5 * 3)


def test_a_shared_param_is_updated_once_by_the_sum_of_its_gradients(solver_file):
    text = ('name: "two" layer { name: "a" type: "Pull" top: "la" param { name: "w" lr_mult: 2 } } '
            'layer { name: "b" type: "Pull" top: "lb" param { name: "w" } }')
    solver = netdef.Solver(solver_file(text, "base_lr: 0.5"), dtype="float64")
    solver.step(1)
    assert len(solver.update.rule.history) == 1
    assert solver.net.params["b"][0].data == pytest.approx(1 - 0.5 * 2 * 6)


def test_a_frozen_param_stays_as_it_is_and_its_gradient_counts_in_the_clipping(solver_file):
    text = ('name: "two" layer { name: "a" type: "Pull" top: "la" } '
            'layer { name: "b" type: "Pull" top: "lb" param { lr_mult: 0 decay_mult: 1 } }')
    solver = netdef.Solver(solver_file(text, "base_lr: 1 weight_decay: 0.1 clip_gradients: 1"), dtype="float64")
    a, b = solver.net.params["a"][0], solver.net.params["b"][0]
    solver.net.forward()
    solver.net.backward()
    b.diff[...] = 4
    assert solver.update.norm() == pytest.approx(10)  # sqrt(4 * 9 + 4 * 16)
    solver.apply_update()
    assert a.data == pytest.approx(1 - 0.1 - 3 / 10)
    assert (b.data == 1).all() and (solver.update.rule.history[1] == 0).all()


def test_a_gradient_that_is_not_finite_is_not_clipped(pull):
    solver = pull([math.nan], "clip_gradients: 1 base_lr: 1")
    solver.step(1)
    assert np.isnan(weights(solver)).all()


# -- least squares ----------------------------------------------------------------------------------------------


def gradient(table, w, b, rows, iter_size, batch):
    """Mean gradient, over iter_size batches of 1/(2N) * |x w' + b - y|^2, from the formula."""
    x, y = (a.astype(np.float64) for a in table)
    gw, gb = np.zeros_like(w), np.zeros_like(b)
    for k in range(iter_size):
        index = (np.arange(batch) + rows + k * batch) % len(x)
        error = x[index] @ w.T + b - y[index]
        gw += error.T @ x[index] / batch
        gb += error.sum(0) / batch
    return gw / iter_size, gb / iter_size


def step_of(p, g, memory, t):
    """The change by one rule, written from its formula; ``memory`` is a dict kept for the param."""
    kind, rate, mu, delta = p.type, p.base_lr, p.momentum, p.delta
    if kind == "SGD":
        memory["v"] = mu * memory.get("v", 0) + rate * g
        return memory["v"]
    if kind == "Nesterov":
        old = memory.get("v", 0)
        memory["v"] = mu * old + rate * g
        return (1 + mu) * memory["v"] - mu * old
    if kind == "AdaGrad":
        memory["h"] = memory.get("h", 0) + g**2
        return rate * g / (np.sqrt(memory["h"]) + delta)
    if kind == "RMSProp":
        memory["h"] = p.rms_decay * memory.get("h", 0) + (1 - p.rms_decay) * g**2
        return rate * g / (np.sqrt(memory["h"]) + delta)
    if kind == "AdaDelta":
        memory["h"] = mu * memory.get("h", 0) + (1 - mu) * g**2
        u = g * np.sqrt((delta + memory.get("u", 0)) / (delta + memory["h"]))
        memory["u"] = mu * memory.get("u", 0) + (1 - mu) * u**2
        return rate * u
    assert kind in ("Adam", "AdamW")
    memory["m"] = mu * memory.get("m", 0) + (1 - mu) * g
    memory["v"] = p.momentum2 * memory.get("v", 0) + (1 - p.momentum2) * g**2
    corrected = rate * math.sqrt(1 - p.momentum2**t) / (1 - mu**t)
    return corrected * memory["m"] / (np.sqrt(memory["v"]) + delta)


CASES = [c for c in itertools.product(sorted(rules()), (0.01, 0.1), (0.0, 0.5), (0.0, 0.9), (1, 3), (-1, 0.5))
         if not (c[0] in ("AdaGrad", "RMSProp") and c[3])]


@pytest.mark.parametrize(("kind", "rate", "decay", "momentum", "iter_size", "clip"), CASES)
def test_least_squares_follows_the_closed_form(squares, table, kind, rate, decay, momentum, iter_size, clip):
    solver = squares(f'type: "{kind}" base_lr: {rate} weight_decay: {decay} momentum: {momentum} '
                     f"iter_size: {iter_size} clip_gradients: {clip}", dtype="float64")
    ip = solver.net.params["ip"]
    w, b = ip[0].data.copy(), ip[1].data.copy()
    memories = {}, {}
    for t in range(4):
        grads = gradient(table, w, b, t * iter_size * 4, iter_size, 4)
        norm = iter_size * math.sqrt(sum((g**2).sum() for g in grads))
        scale = clip / norm if 0 < clip < norm else 1
        coupled = solver.param.weight_decay if kind != "AdamW" else 0
        shrunk = 1 - solver.param.base_lr * (solver.param.weight_decay - coupled)
        w, b = (v * shrunk - step_of(solver.param, scale * g + coupled * v, memory, t + 1)
                for v, g, memory in zip((w, b), grads, memories, strict=True))
        solver.step(1)
        np.testing.assert_allclose(ip[0].data, w, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(ip[1].data, b, rtol=1e-9, atol=1e-10)


def test_iter_size_equals_a_larger_batch(squares, table):
    """Three passes over four rows each are one pass over all twelve."""
    small = squares("iter_size: 3", dtype="float64")
    w, b = (p.data.copy() for p in small.net.params["ip"])
    small.step(1)
    gw, gb = gradient(table, w, b, 0, 1, 12)
    np.testing.assert_allclose(small.net.params["ip"][0].data, w - float(np.float32(0.1)) * gw, rtol=1e-12)
    np.testing.assert_allclose(small.net.params["ip"][1].data, b - float(np.float32(0.1)) * gb, rtol=1e-12)
