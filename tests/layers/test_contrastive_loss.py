"""ContrastiveLoss: both forms of its margin (trap 13), and the 1e-4 in its gradient."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, GraphError, ShapeError
from netdef.testing import check_layer

SIMILAR = np.array([1.0, 0, 0, 1, 0])


def reference(margin, legacy=False):
    def loss(a, b, similar):
        total = 0.0
        for x, y, s in zip(a.reshape(len(a), -1), b.reshape(len(b), -1), similar.reshape(-1), strict=True):
            square = np.sum((x - y) ** 2)
            if int(s):
                total += square
            else:
                total += max(margin - square, 0) if legacy else max(margin - np.sqrt(square), 0) ** 2
        return np.array(total / (2 * max(1, len(a))))

    return loss


@pytest.mark.parametrize(("shapes", "labels"), [
    ([(5, 3), (5, 3)], SIMILAR),
    ([(5, 3, 1, 1), (5, 3)], SIMILAR.reshape(5, 1, 1, 1)),
    ([(5, 2, 2), (5, 4)], SIMILAR.reshape(5, 1)),
])
def test_battery(shapes, labels):
    """Distances are tens, so that 1e-4 / d in the gradient stays below the threshold of the numeric one."""
    report = check_layer('type: "ContrastiveLoss" contrastive_loss_param { margin: 60 }', [*shapes, labels],
                         reference(60), low=-20, high=20)
    assert len(report.gradients) == 4  # by both features


@pytest.mark.parametrize("margin", [1, 12])
def test_trap_13_battery_of_the_legacy_form(margin):
    check_layer(f'type: "ContrastiveLoss" contrastive_loss_param {{ margin: {margin} legacy_version: true }}',
                [(5, 3), (5, 3), SIMILAR], reference(margin, legacy=True))


def run(a, b, similar, options="", dtype="float64", extra=""):
    text = f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "a" top: "b" top: "s" input_param {{
                 shape {{ dim: {len(a)} dim: 2 }} shape {{ dim: {len(a)} dim: 2 }} shape {{ dim: {len(a)} }} }} }}
        layer {{ name: "loss" type: "ContrastiveLoss" bottom: "a" bottom: "b" bottom: "s" top: "loss" {extra}
                 contrastive_loss_param {{ {options} }} }}'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), dtype=dtype)
    net.forward(a=a, b=b, s=similar)
    net.backward()
    return net


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_by_hand(dtype):
    """d is 5 in the first pair, .5 in the second, 2 in the third; the margin is 1."""
    net = run([[3, 4], [0.5, 0], [2, 0]], np.zeros((3, 2)), [1, 0, 0], dtype=dtype)
    assert net.loss == pytest.approx((25 + 0.25 + 0) / 6)
    assert net.blobs["a"].diff == pytest.approx(np.array([[1, 4 / 3], [-0.5 / 0.5001 * 0.5 / 3, 0], [0, 0]]), rel=1e-6)
    assert (net.blobs["b"].diff == -net.blobs["a"].diff).all()
    legacy = run([[3, 4], [0.5, 0], [2, 0]], np.zeros((3, 2)), [1, 0, 0], "legacy_version: true", dtype=dtype)
    assert legacy.loss == pytest.approx((25 + 0.75 + 0) / 6)
    assert legacy.blobs["a"].diff[1].tolist() == pytest.approx([-0.5 / 3, 0])


def test_the_gradient_divides_by_the_distance_and_a_little():
    """Caffe's +1e-4, which at a distance of 1e-4 halves the push; at 0 there is none."""
    net = run([[1e-4, 0], [0, 0]], np.zeros((2, 2)), [0, 0], "margin: 2")
    assert net.blobs["a"].diff[0, 0] == pytest.approx(-(2 - 1e-4) / 2e-4 * 1e-4 / 2)
    assert net.blobs["a"].diff[1].tolist() == [0, 0]


def test_labels_are_cut_to_whole_numbers():
    net = run([[1, 0], [1, 0], [1, 0]], np.zeros((3, 2)), [0.9, -2, 3], "margin: 3")
    assert net.loss == pytest.approx((4 + 1 + 1) / 6)


def test_errors():
    with pytest.raises(DataError, match="label blob 's', item 1 of the batch: expected 1 .similar. or 0, got nan"):
        run(np.zeros((2, 2)), np.zeros((2, 2)), [0, np.nan])
    with pytest.raises(GraphError, match="gradient by bottom 2"):
        run([[0, 0]], [[0, 0]], [1], extra="propagate_down: true propagate_down: true propagate_down: true")
    for shapes, words in (([(2, 3), (2, 4), (2,)], "as many values an item"), ([(2, 3), (3, 3), (2,)], "as many items"),
                          ([(2, 3), (2, 3), (3,)], "expected one label for each item of 'b0'")):
        with pytest.raises(ShapeError, match=words):
            check_layer('type: "ContrastiveLoss"', shapes)
