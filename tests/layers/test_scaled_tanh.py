"""ScaledTanH and SymmetricSigmoid against their formulas."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.testing import check_layer

A, B = float(np.float32(1.7159)), float(np.float32(2 / 3))


@pytest.mark.parametrize(("options", "a", "b"), [("", A, B), ("scaled_tanh_param { a: 2 b: 0.5 }", 2, 0.5)])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,)])
def test_scaled_tanh(options, a, b, shape):
    report = check_layer(f'type: "ScaledTanH" {options}', [shape], lambda x: a * np.tanh(b * x))
    assert {"gradients", "in place", "backward_reads", "claims", "constraints"} <= set(report.passed)


@pytest.mark.parametrize(("options", "alpha", "beta"), [
    ("", B, A), ("symmetric_sigmoid_param { alpha: 1 beta: 1 }", 1, 1),
    ("symmetric_sigmoid_param { alpha: 3 beta: 0.5 }", 3, 0.5),
])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,)])
def test_symmetric_sigmoid(options, alpha, beta, shape):
    report = check_layer(f'type: "SymmetricSigmoid" {options}', [shape],
                         lambda x: beta * (1 - np.exp(-alpha * x)) / (1 + np.exp(-alpha * x)))
    assert {"gradients", "in place", "backward_reads", "claims", "constraints"} <= set(report.passed)


def run(type_name, x):
    net = netdef.Net(parse_text_message(f'''layer {{ name: "in" type: "Input" top: "x"
        input_param {{ shape {{ dim: {len(x)} }} }} }}
        layer {{ name: "s" type: "{type_name}" bottom: "x" top: "y" }}''', "net.prototxt", "NetParameter"))
    return net.forward(x=x)["y"]


def test_one_is_mapped_to_one():
    assert np.allclose(run("ScaledTanH", [-1, 0, 1, 1000]), [-1, 0, 1, 1.7159], atol=1e-5)


def test_the_half_between_the_two():
    x = np.linspace(-4, 4, 9)
    assert np.allclose(run("SymmetricSigmoid", 2 * x), run("ScaledTanH", x), atol=1e-6)
