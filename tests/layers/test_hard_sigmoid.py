"""Mish, HSwish and HardSigmoid: the battery."""
import math

import numpy as np
import pytest

from netdef.testing import check_layer
from netdef.testing.gradients import Kink

X = np.random.default_rng(2).uniform(-6, 6, (3, 4, 5))


def test_mish():
    plain = np.vectorize(lambda x: x * math.tanh(math.log(1 + math.exp(x))))
    report = check_layer('type: "Mish"', [X], plain)
    assert {"values", "gradients"} <= set(report.passed)
    check_layer('type: "Mish"', [np.array([[-90.0, 90]])], lambda _: np.array([[0.0, 90]]), batch=False, tolerance=1e-30)


def test_hswish():
    plain = np.vectorize(lambda x: x * min(max(x + 3, 0), 6) / 6)
    report = check_layer('type: "HSwish"', [X], plain, kink=Kink(3))
    assert {"values", "gradients"} <= set(report.passed)


@pytest.mark.parametrize("alpha, beta", [(0.2, 0.5), (0.1666667, 0.5), (-0.25, 0.25)])
def test_hard_sigmoid(alpha, beta):
    a, b = float(np.float32(alpha)), float(np.float32(beta))
    report = check_layer(f'type: "HardSigmoid" hard_sigmoid_param {{ alpha: {alpha} beta: {beta} }}', [X],
                         np.vectorize(lambda x: min(max(a * x + b, 0.0), 1.0)), kink=Kink(0.5 / abs(alpha)))
    assert {"values", "gradients"} <= set(report.passed)
