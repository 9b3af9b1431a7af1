"""SigmoidCrossEntropyLoss: the battery in every normalization, far-off scores, ignored targets."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer

TARGETS = np.array([[0, 1, 0.25], [1, 1, -1], [0.75, -1, 0]])


def reference(mode="BATCH_SIZE", ignore=None):
    def loss(x, t):
        t = t.reshape(x.shape)
        counts = np.ones(x.shape, bool) if ignore is None else np.trunc(t) != ignore
        p = 1 / (1 + np.exp(-x))
        total = -np.sum((t * np.log(p) + (1 - t) * np.log(1 - p))[counts])
        return np.array(total / max(1, {"VALID": counts.sum(), "FULL": x.size, "BATCH_SIZE": len(x), "NONE": 1}[mode]))

    return loss


@pytest.mark.parametrize(("options", "shape", "targets", "kwargs"), [
    ("", (3, 3), np.abs(TARGETS), {}),
    ("", (3, 3), np.abs(TARGETS).reshape(3, 3, 1), {}),
    *((f"normalization: {mode} ignore_label: -1", (3, 3), TARGETS, {"mode": mode, "ignore": -1})
      for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")),
    ("normalize: true ignore_label: -1", (3, 3), TARGETS, {"mode": "VALID", "ignore": -1}),
    ("ignore_label: 0", (3, 3), np.abs(TARGETS), {"ignore": 0}),  # as in Caffe, 0.25 is cut to 0 and ignored too
])
def test_battery(options, shape, targets, kwargs):
    report = check_layer(f'type: "SigmoidCrossEntropyLoss" loss_param {{ {options} }}', [shape, targets],
                         reference(**kwargs))
    assert "gradients" in report.passed


def run(score, target, options="", dtype="float32"):
    n = len(score)
    text = f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "score" top: "target" input_param {{ shape {{ dim: 1 dim: {n} }} }} }}
        layer {{ name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "score" bottom: "target"
                 top: "loss" {options} }}'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), dtype=dtype)
    net.forward(score=[score], target=[target])
    net.backward()
    return net.loss, net.blobs["score"].diff[0].tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_trap_12_far_off_scores_are_not_clamped(dtype):
    """Trap 12: the loss of a wrong score is the score itself."""
    loss, dx = run([1000, -1000, 1000, -1000], [0, 1, 1, 0], dtype=dtype)
    assert loss == 2000
    assert dx == [1, -1, 0, 0]


def test_trap_11_the_default_divides_by_the_items():
    """Trap 11: one item of four values."""
    assert run([0] * 4, [0, 1, 0, 1])[0] == pytest.approx(4 * np.log(2))
    assert run([0] * 4, [0, 1, 0, 1], "loss_weight: 2")[1] == [1, -1, 1, -1]


def test_ignored_nan_does_no_harm():
    loss, dx = run([np.nan, 0], [-1, 1], "loss_param { ignore_label: -1 }")
    assert loss == pytest.approx(np.log(2))
    assert dx == [0, -0.5]


def test_infinite_scores_give_nan():
    assert np.isnan(run([np.inf], [1])[0])


@pytest.mark.parametrize(("shapes", "message"), [
    ([(2, 3), (3, 2)], "as many items"),
    ([(2, 3), (2, 1)], r"expected one target a score, got 'b0' of shape \(2, 3\) \(6 values\) and 'b1'"),
])
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(ShapeError, match=message):
        check_layer('type: "SigmoidCrossEntropyLoss"', shapes)
