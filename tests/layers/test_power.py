"""Power with whole, broken and negative exponents, constants, and in place."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import GraphError
from netdef.testing import check_layer


@pytest.mark.parametrize(("power", "scale", "shift", "low"), [
    (1, 1, 0, -2), (1, 0.75, 0, -2), (1, -0.5, 0.25, -2),
    (2, 1, 0, -2), (2, -1.5, 0.5, -2), (3, 0.5, -0.25, -2), (4, 1, 0, -2),
    (0.5, 2, 0.25, 0.3), (0.375, 1, 0, 0.3), (-1, 1, 3, -2), (-2, 0.5, 3, -2), (-0.5, 1, 0, 0.3),
])
def test_battery(power, scale, shift, low):
    report = check_layer(f'type: "Power" power_param {{ power: {power} scale: {scale} shift: {shift} }}', [(2, 3, 4)],
                         lambda x: (shift + scale * x) ** power, low=low)
    assert {"gradients", "in place", "backward_reads"} <= set(report.passed)


@pytest.mark.parametrize(("options", "value"), [
    ("power: 0", 1), ("power: 0 scale: 3 shift: -2", 1), ("scale: 0 shift: 3", 3), ("power: 2 scale: 0 shift: 3", 9),
    ("power: 2 scale: 0", 0),
])
def test_constant_results(options, value):
    report = check_layer(f'type: "Power" power_param {{ {options} }}', [(2, 3)], lambda x: np.full_like(x, value))
    assert {"gradients", "in place", "backward_reads"} <= set(report.passed)


def run(options, x, top="y"):
    net = netdef.Net(parse_text_message(f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: {len(x)} }} }} }}
        layer {{ name: "p" type: "Power" bottom: "x" top: "{top}" power_param {{ {options} }} }}''', "net.prototxt",
                                        "NetParameter"))
    net.forward(x=x)
    net.backward(**{top: np.ones(len(x))})
    return net.blobs[top].data, net.blobs["x"].diff


def test_the_gradient_at_zero():
    """Caffe divides 0 by 0 here and gives NaN."""
    assert run("power: 3", [0, 2])[1].tolist() == [0, 12]
    assert run("power: 0.5", [0, 4])[1].tolist() == [np.inf, 0.25]


def test_a_negative_base_with_a_broken_power():
    assert np.isnan(run("power: 0.375", [-1])[0]).all()


def test_power_one_learns_in_place():
    assert run("scale: 3 shift: 1", [1, 2], top="x")[1].tolist() == [3, 3]


def test_other_powers_do_not_learn_in_place():
    """Caffe computes a wrong gradient here and says nothing."""
    with pytest.raises(GraphError, match="Power cannot work in place on 'x' in a net that learns"):
        run("power: 2", [1], top="x")
