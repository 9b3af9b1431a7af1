"""MultinomialLogisticLoss: the battery and the clamp (trap 12)."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, ShapeError
from netdef.testing import check_layer

LABELS = np.array([2.0, 0, 1])


def reference(p, label):
    total = 0.0
    for own, k in zip(p.reshape(len(p), -1), label.reshape(-1), strict=True):
        total -= np.log(own[int(k)])
    return np.array(total / max(1, len(p)))


@pytest.mark.parametrize("shape", [(3, 3), (3, 3, 1, 1), (3, 2, 2)])
@pytest.mark.parametrize("labels", [LABELS, LABELS.reshape(3, 1, 1, 1)], ids=["1-D", "4-D"])
def test_battery(shape, labels):
    report = check_layer('type: "MultinomialLogisticLoss"', [shape, labels], reference, low=0.1, high=0.9)
    assert len(report.gradients) == 2


def run(p, label, dtype="float64"):
    text = f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "p" top: "label"
                 input_param {{ shape {{ dim: {np.shape(p)[0]} dim: {np.shape(p)[1]} }} shape {{ dim: {len(label)} }} }} }}
        layer {{ name: "loss" type: "MultinomialLogisticLoss" bottom: "p" bottom: "label" top: "loss" loss_weight: 2 }}'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), dtype=dtype)
    net.forward(p=p, label=label)
    net.backward()
    return net


def test_by_hand():
    net = run([[0.5, 0.5], [0.25, 0.75]], [0, 0])
    assert float(net.blobs["loss"].data) == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert net.blobs["p"].diff.tolist() == [[-2, 0], [-4, 0]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_trap_12_the_largest_loss_and_gradient(dtype):
    """-log(1e-20), and a gradient of 1e20."""
    net = run([[0, 1]], [0], dtype)
    assert float(net.blobs["loss"].data) == pytest.approx(46.0517, abs=1e-4)
    assert net.blobs["p"].diff[0].tolist() == pytest.approx([-2e20, 0])


def test_errors():
    with pytest.raises(DataError, match="expected a whole number from 0 to 1, got 2"):
        run([[0, 1]], [2])
    for labels in ((2,), (3, 1, 2)):
        with pytest.raises(ShapeError, match=r"expected one label for each item of 'b0' \(shape \(3, 3\)\), got 'b1'"):
            check_layer('type: "MultinomialLogisticLoss"', [(3, 3), labels])
