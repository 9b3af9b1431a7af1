"""LabelSpecificAdd: the margin, the schedule, the phases, and refusals."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer
from netdef.testing.case import LayerCheckError

LABELS = np.array([2.0, 0, 1])


def reference(bias):
    def margin(x, labels):
        y = x.copy()
        for n, label in enumerate(labels.ravel()):
            if y[n, int(label)] > -bias:
                y[n, int(label)] += bias
        return y
    return margin


@pytest.mark.parametrize("bias", [-0.375, 0.5, 0])
def test_battery(bias):
    report = check_layer(f'type: "LabelSpecificAdd" label_specific_add_param {{ bias: {bias} }}', [(3, 4), LABELS],
                         reference(bias))
    assert {"values", "gradients", "in place"} <= set(report.passed)


def test_the_test_phase_adds_nothing():
    check_layer('type: "LabelSpecificAdd" label_specific_add_param { bias: -0.35 transform_test: true }', [(3, 4), LABELS],
                lambda x, labels: x, phase="TEST")


def test_the_margin_moves_with_the_passes():
    net = netdef.Net(parse_text_message('''
        layer { name: "in" type: "Input" top: "x" top: "l" input_param { shape { dim: 1 dim: 2 } shape { dim: 1 } } }
        layer { name: "a" type: "LabelSpecificAdd" bottom: "x" bottom: "l" top: "y" label_specific_add_param {
                bias_base: -0.5 bias_gamma: -0.25 bias_power: 2 bias_min: -1 bias_max: 0 iteration: 1 } }''', "n.prototxt",
                                        "NetParameter"), phase="TRAIN", dtype="float64")
    x, label = np.array([[9.0, 8]]), np.array([0.0])
    said = [float(net.forward(x=x, l=label)["y"][0, 0]) - 9 for _ in range(4)]
    assert said == [max(-1, -0.5 + (1 - 0.25 * i) ** 2 - 1) for i in (1, 2, 3, 4)] and said[0] == -0.9375


def test_refused():
    with pytest.raises(ShapeError, match="expected one label for each item of 'b0'"):
        check_layer('type: "LabelSpecificAdd"', [(3, 4), (2,)])
    with pytest.raises(LayerCheckError, match="expected a whole number from 0 to 3, got 4"):
        check_layer('type: "LabelSpecificAdd"', [(3, 4), LABELS + 2])
