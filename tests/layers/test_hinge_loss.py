"""HingeLoss: the battery away from its kink, and a worked example."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, ShapeError
from netdef.testing import check_layer

LABELS = np.array([2.0, 0, 1])


def reference(power):
    def loss(x, label):
        total = 0.0
        for own, k in zip(x.reshape(len(x), -1), label.reshape(-1), strict=True):
            for c, score in enumerate(own):
                total += max(0.0, 1 - score if c == int(k) else 1 + score) ** power
        return np.array(total / max(1, len(x)))

    return loss


@pytest.mark.parametrize(("options", "power"), [("", 1), ("norm: L1", 1), ("norm: L2", 2)])
@pytest.mark.parametrize("shape", [(3, 3), (3, 3, 1, 1), (3, 2, 2)])
def test_battery(options, power, shape):
    report = check_layer(f'type: "HingeLoss" hinge_loss_param {{ {options} }}', [shape, LABELS], reference(power), kink=1)
    assert len(report.gradients) == 2


@pytest.mark.parametrize(("norm", "loss", "diff"), [
    ("L1", (0.5 + 1.5 + 0 + 2 + 0 + 3) / 2, [[-0.5, 0.5, 0], [0.5, 0, 0.5]]),
    ("L2", (0.25 + 2.25 + 0 + 4 + 0 + 9) / 2, [[-0.5, 1.5, 0], [2, 0, 3]]),
])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_by_hand(norm, loss, diff, dtype):
    """Margins .5 for the label, 1.5 and exactly 0 for the others; then 2, exactly 0 for the label, 3."""
    text = f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "x" top: "label" input_param {{ shape {{ dim: 2 dim: 3 }} shape {{ dim: 2 }} }} }}
        layer {{ name: "loss" type: "HingeLoss" bottom: "x" bottom: "label" top: "loss"
                 hinge_loss_param {{ norm: {norm} }} }}'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), dtype=dtype)
    net.forward(x=[[0.5, 0.5, -1], [1, 1, 2]], label=[0, 1])
    net.backward()
    assert net.loss == loss
    assert net.blobs["x"].diff.tolist() == diff


def test_errors():
    with pytest.raises(ShapeError, match="expected one label for each item"):
        check_layer('type: "HingeLoss"', [(3, 3), (3, 3)])
    with pytest.raises(AssertionError, match="expected a whole number from 0 to 2, got 3") as caught:
        check_layer('type: "HingeLoss"', [(3, 3), np.array([0.0, 3, 0])])
    assert isinstance(caught.value.__cause__, DataError)
