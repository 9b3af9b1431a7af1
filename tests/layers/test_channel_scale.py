"""ChannelScale against its formula, the battery, and the switches of its gradients."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


@pytest.mark.parametrize(("x", "s"), [((2, 3, 2, 2), (2, 1, 2, 2)), ((2, 3, 2, 2), (2, 2, 2)), ((3, 4), (3, 1)), ((3, 4), (3,))])
def test_battery(x, s):
    report = check_layer('type: "ChannelScale"', [x, s], lambda a, b: a * b.reshape(len(a), 1, *x[2:]))
    assert {"values", "gradients", "batches"} <= set(report.passed) and len(report.gradients) == 4


def run(options):
    net = netdef.Net(parse_text_message(f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "x" top: "s" input_param {{ shape {{ dim: 1 dim: 2 }} shape {{ dim: 1 }} }} }}
        layer {{ name: "c" type: "ChannelScale" bottom: "x" bottom: "s" top: "y" channel_scale_param {{ {options} }} }}
        layer {{ name: "l" type: "Reduction" bottom: "y" top: "l" loss_weight: 1 }}''', "n.prototxt", "NetParameter"))
    y = net.forward(x=np.array([[2.0, 3]]), s=np.array([4.0]))
    net.backward()
    return net.blobs["y"].data[0].tolist(), net.blobs["x"].diff[0].tolist(), net.blobs["s"].diff.tolist(), y


@pytest.mark.parametrize(("options", "expected"), [
    ("", ([8, 12], [4, 4], [5])), ("do_forward: false", ([2, 3], [4, 4], [5])),
    ("do_backward_feature: false", ([8, 12], [1, 1], [5])), ("do_backward_scale: false", ([8, 12], [4, 4], [0]))])
def test_switches(options, expected):
    assert run(options)[:3] == expected


def test_refused():
    with pytest.raises(FieldError, match="global_scale: expected false, which is all that is known here; a Scale layer"):
        check_layer('type: "ChannelScale" channel_scale_param { global_scale: true }', [(2, 3), (2, 1)])
    with pytest.raises(ShapeError, match=r"one factor for each of the 4 places of each item, \(2, 1, 2, 2\), got \(2, 3\)"):
        check_layer('type: "ChannelScale"', [(2, 3, 2, 2), (2, 3)])
