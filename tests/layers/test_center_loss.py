"""CenterLoss and TripletLoss: the battery, and the way of the centres."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer
from netdef.testing.case import LayerCheckError


def center(x, labels, centers):
    rows = x.reshape(len(x), -1) if x.size else x.reshape(len(x), centers.shape[1])
    total = sum(np.square(row - centers[int(label)]).sum() for row, label in zip(rows, labels.ravel(), strict=True))
    return np.array(total / 2 / max(1, len(x)))


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2, 1)])
def test_center_battery(shape):
    report = check_layer('type: "CenterLoss" center_loss_param { num_output: 3 }', [shape, np.array([0.0, 2, 2, 1])], center,
                         statistics=[0])
    assert {"values", "gradients", "constraints"} <= set(report.passed)


def test_centres_follow_the_mean_of_their_items():
    net = netdef.Net(parse_text_message('''force_backward: true
        layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 3 dim: 2 } shape { dim: 3 } } }
        layer { name: "loss" type: "CenterLoss" bottom: "x" bottom: "y" top: "loss" loss_weight: 0.5
                center_loss_param { num_output: 3 center_filler { value: 1 } } }''', "net.prototxt", "NetParameter"),
                     phase="TRAIN")
    net.forward(x=np.array([[1.0, 2], [4, 5], [7, 7]]), y=np.array([2, 0, 2]))
    net.backward()
    want = np.array([[-3 / 2, -4 / 2], [0, 0], [(0 - 6) / 3, (-1 - 6) / 3]])
    np.testing.assert_allclose(net.params["loss"][0].diff, want, rtol=1e-6)
    np.testing.assert_allclose(net.blobs["x"].diff, np.array([[0, 1], [3, 4], [6, 6]]) / 6, rtol=1e-6)


def test_a_label_that_is_no_class():
    with pytest.raises(LayerCheckError, match="expected a whole number from 0 to 2, got 3"):
        check_layer('type: "CenterLoss" center_loss_param { num_output: 3 }', [(1, 2), np.array([3.0])], center, statistics=[0])


@pytest.mark.parametrize("shape", [(5, 3), (4, 2, 1, 1)])
@pytest.mark.parametrize("margin", [0.25, 3])
def test_triplet_battery(shape, margin):
    def plain(a, p, n):
        total = sum(max(0, margin + np.square(x - y).sum() - np.square(x - z).sum()) for x, y, z in zip(a, p, n, strict=True))
        return np.array(total / 2 / max(1, len(a)))
    report = check_layer(f'type: "TripletLoss" triplet_loss_param {{ margin: {margin} }}', [shape] * 3, plain)
    assert {"values", "gradients"} <= set(report.passed)


def test_triplets_must_match():
    with pytest.raises(ShapeError, match="expected as many items"):
        check_layer('type: "TripletLoss"', [(4, 2), (4, 2), (3, 2)])
