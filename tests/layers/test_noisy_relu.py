"""NoisyReLU: the noise's mean, width and gradient while training; a plain ReLU in the TEST phase."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.testing import check_layer


def test_battery():
    report = check_layer('type: "NoisyReLU"', [(3, 4)], random=True, batch=False, other=[(2, 5)])
    assert {"gradients", "in place", "backward_reads", "repeatable"} <= set(report.passed)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,)])
def test_battery_in_the_test_phase(shape):
    report = check_layer('type: "NoisyReLU"', [shape], lambda x: np.maximum(x, 0), phase="TEST", kink=0)
    assert {"gradients", "in place", "backward_reads", "claims"} <= set(report.passed)


@pytest.mark.parametrize("level", [3.0, 12.0])
def test_the_variance_is_the_sigmoid(level):
    n = 40000
    net = netdef.Net(parse_text_message(f'''layer {{ name: "in" type: "Input" top: "x"
        input_param {{ shape {{ dim: {n} }} }} }}
        layer {{ name: "r" type: "NoisyReLU" bottom: "x" top: "y" }}''', "net.prototxt", "NetParameter"), phase="TRAIN",
                     seed=3)
    y = net.forward(x=np.full(n, level))["y"] - level
    variance = 1 / (1 + np.exp(-level))
    assert abs(y.mean()) < 4 * np.sqrt(variance / n)
    assert abs(y.var() - variance) < 0.05
    assert 0.5 < (net.forward(x=np.full(n, 0.5))["y"] > 0).mean() < 0.9
