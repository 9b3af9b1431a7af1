"""BNLL: softplus over its whole range, and in place without learning only."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import GraphError
from netdef.testing import check_layer


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,)])
def test_battery(shape):
    report = check_layer('type: "BNLL"', [shape], lambda x: np.log(1 + np.exp(x)))
    assert {"gradients", "in place"} <= set(report.passed)


def test_far_out():
    x = np.array([[-1000.0, -80, -30, 0, 30, 80, 1000]])
    exact = [[0, np.exp(-80), np.exp(-30), np.log(2), 30 + np.exp(-30), 80, 1000]]
    check_layer('type: "BNLL"', [x], lambda x: np.array(exact)[: len(x)])


def test_a_small_gradient_keeps_its_digits():
    net = netdef.Net(parse_text_message(net_text("y"), "net.prototxt", "NetParameter"), dtype="float32")
    net.forward(x=[-40, 40])
    net.backward(y=[1, 1])
    assert np.allclose(net.blobs["x"].diff, [np.exp(-40), 1], rtol=1e-6, atol=0)


def test_in_place_only_without_learning():
    """Caffe computes a wrong gradient here and says nothing."""
    with pytest.raises(GraphError, match="BNLL cannot work in place on 'x' in a net that learns"):
        netdef.Net(parse_text_message(net_text("x"), "net.prototxt", "NetParameter"))


def net_text(top):
    return f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 }} }} }}
        layer {{ name: "soft" type: "BNLL" bottom: "x" top: "{top}" }}'''
