"""FocalLoss: both modes against the paper's formula, and the ends of the probability scale."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, FieldError, ShapeError
from netdef.testing import check_layer

VECTOR = np.array([2.0, 0, 1])
MAP = np.array([[[0, 1], [2, 1]], [[1, 1], [0, 2]], [[2, 2], [2, 0]]], float)  # (3, 2, 2)
TARGETS = np.array([[1.0, 0, 0.25], [0, -1, 1], [0, 0, 1]])


def softmax_reference(gamma=2.0, alpha=(0.25,) * 3, axis=1, ignore=None, full=False):
    def loss(x, label):
        x = np.moveaxis(x, axis, -1)
        label = label.reshape(x.shape[:-1])
        total, valid = 0.0, 0
        for place in np.ndindex(*label.shape):
            if label[place] != ignore:
                k = int(label[place])
                q = np.exp(x[place][k]) / np.exp(x[place]).sum()
                total -= alpha[k] * (1 - q) ** gamma * np.log(q)
                valid += 1
        return np.array(total / max(1, label.size if full else valid))

    return loss


def sigmoid_reference(gamma=2.0, alpha=(0.25,) * 3, ignore=None, positives=False):
    def loss(x, target):
        p = 1 / (1 + np.exp(-x))
        total, valid, positive = 0.0, 0, 0
        for place in np.ndindex(*x.shape):
            t, q, a = target[place], p[place], alpha[place[1] % len(alpha)]
            if t != ignore:
                total -= t * a * (1 - q) ** gamma * np.log(q) + (1 - t) * (1 - a) * q**gamma * np.log(1 - q)
                valid += 1
                positive += t >= 0.5
        return np.array(total / max(1, positive if positives else valid))

    return loss


@pytest.mark.parametrize(("options", "shape", "labels", "kwargs"), [
    ("", (3, 3), VECTOR, {}),
    ("focal_loss_param { gamma: 0 alpha: 1 }", (3, 3), VECTOR, {"gamma": 0, "alpha": (1, 1, 1)}),
    ("focal_loss_param { gamma: 0.5 alpha: [1, 0.5, 0] }", (3, 3), VECTOR, {"gamma": 0.5, "alpha": (1, 0.5, 0)}),
    ("focal_loss_param { axis: -1 gamma: 3 } loss_param { ignore_label: 1 }", (3, 2, 2, 3), MAP,
     {"axis": 3, "gamma": 3, "ignore": 1}),
    ("loss_param { ignore_label: 255 normalization: FULL }", (3, 3), np.array([255.0, 0, 1]),
     {"ignore": 255, "full": True}),
])
def test_battery_of_softmax(options, shape, labels, kwargs):
    report = check_layer(f'type: "FocalLoss" {options}', [shape, labels], softmax_reference(**kwargs))
    assert len(report.gradients) == 2


@pytest.mark.parametrize(("options", "loss_param", "shape", "targets", "kwargs"), [
    ("", "", (3, 3), np.abs(TARGETS), {}),
    ("gamma: 0 alpha: 0.5", "", (3, 3), np.abs(TARGETS), {"gamma": 0, "alpha": (0.5,)}),
    ("gamma: 1.5 alpha: [0.25, 0.5, 1]", "ignore_label: -1", (3, 3), TARGETS,
     {"gamma": 1.5, "alpha": (0.25, 0.5, 1), "ignore": -1}),
    ("per_positive: true", "ignore_label: -1", (3, 3), TARGETS, {"ignore": -1, "positives": True}),
    ("", "", (3, 3, 2), np.repeat(np.abs(TARGETS)[:, :, None], 2, 2), {}),
])
def test_battery_of_sigmoid(options, loss_param, shape, targets, kwargs):
    report = check_layer(f'type: "FocalLoss" focal_loss_param {{ mode: SIGMOID {options} }} loss_param {{ {loss_param} }}',
                         [shape, targets], sigmoid_reference(**kwargs))
    assert len(report.gradients) == 2


def run(score, label, options="", extra="", dtype="float64"):
    dims = " ".join("shape {" + "".join(f" dim: {n}" for n in np.shape(a)) + " }" for a in (score, label))
    text = f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "score" top: "label" input_param {{ {dims} }} }}
        layer {{ name: "loss" type: "FocalLoss" bottom: "score" bottom: "label" top: "loss" {extra}
                 focal_loss_param {{ {options} }} }}'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), dtype=dtype)
    net.forward(score=score, label=label)
    net.backward()
    return net


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_ends(dtype):
    """A hopeless place has the loss and gradient of plain cross-entropy; a perfect one neither, and no NaN."""
    for gamma in (0, 0.5, 2):
        net = run([[0, 1000], [1000, 0]], [0, 0], f"gamma: {gamma} alpha: 1", dtype=dtype)
        assert net.loss == 500
        assert net.blobs["score"].diff.tolist() == [[-0.5, 0.5], [0, 0]]
        net = run([[-1000.0, 1000]], [[1, 1]], f"mode: SIGMOID gamma: {gamma} alpha: 1", dtype=dtype)
        assert net.loss == 500
        assert net.blobs["score"].diff.tolist() == [[-0.5, 0]]


def test_small_losses_keep_their_digits():
    """1 - q is e^-30: far below what 1 - (a float near 1) can show."""
    rest = np.exp(-30.0)
    assert run([[30, 0]], [0], "gamma: 1 alpha: 1").loss == pytest.approx(rest**2, rel=1e-9)
    assert run([[30.0]], [[1]], "mode: SIGMOID gamma: 1 alpha: 1").loss == pytest.approx(rest**2, rel=1e-9)


def test_nan_is_no_error():
    net = run([[np.nan, 0], [0, 0]], [0, 0])
    assert np.isnan(net.loss) and np.isfinite(net.blobs["score"].diff[1]).all()
    net = run([[np.nan, 0], [0, 0]], [7, 0], extra="loss_param { ignore_label: 7 }")
    assert net.loss == pytest.approx(0.25 * 0.25 * np.log(2))
    assert net.blobs["score"].diff[0].tolist() == [0, 0]


def test_errors():
    with pytest.raises(DataError, match="expected a whole number from 0 to 1, got 2"):
        run([[0, 0]], [2])
    with pytest.raises(FieldError, match="per_positive: belongs to the mode SIGMOID"):
        run([[0, 0]], [0], "per_positive: true")
    with pytest.raises(ShapeError, match="alpha: expected one number, or one for each of the 2 classes, got 3"):
        run([[0, 0]], [0], "alpha: [0, 1, 1]")
    with pytest.raises(ShapeError, match="as many values an item"):
        run([[0, 0]], [0], "mode: SIGMOID")
    with pytest.raises(ShapeError, match="one label for each of the 2 places"):
        run(np.zeros((2, 3)), np.zeros((2, 3)))
