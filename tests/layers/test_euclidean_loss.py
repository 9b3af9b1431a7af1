"""EuclideanLoss: half the squared distance by the number of items (trap 13)."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer


def reference(a, b):
    return np.array(np.sum((a - b.reshape(a.shape)) ** 2) / (2 * max(1, len(a))))


@pytest.mark.parametrize("shapes", [[(3, 2), (3, 2)], [(3, 4), (3, 2, 2)], [(2, 1, 3, 2), (2, 6)], [(4,), (4,)]])
def test_battery(shapes):
    report = check_layer('type: "EuclideanLoss"', shapes, reference)
    assert len(report.gradients) == 4  # two objectives by both bottoms


def test_trap_13_half_by_the_number_of_items():
    """2 items of 3 values: (1 + 4 + 9 + 0 + 0 + 16) / (2 * 2), not the mean of 6."""
    text = '''force_backward: true
        layer { name: "in" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "loss" type: "EuclideanLoss" bottom: "a" bottom: "b" top: "loss" loss_weight: 3 }'''
    for dtype in ("float32", "float64"):
        net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), dtype=dtype)
        net.forward(a=[[1, 2, 3], [0, 0, 4]], b=np.zeros((2, 3)))
        net.backward()
        assert float(net.blobs["loss"].data) == 7.5
        assert net.loss == 22.5
        assert net.blobs["a"].diff.tolist() == [[1.5, 3, 4.5], [0, 0, 6]]
        assert (net.blobs["b"].diff == -net.blobs["a"].diff).all()


def test_nan_and_infinity_are_no_errors():
    inf = np.full((1, 2), np.inf)
    check_layer('type: "EuclideanLoss"', [inf, inf], lambda a, b: np.array(np.nan), skip=["gradients", "batches"])


@pytest.mark.parametrize(("shapes", "message"), [
    ([(2, 3), (3, 3)], "as many items"),
    ([(2, 3), (2, 4)], r"'b0' of shape \(2, 3\) \(3 an item\) and 'b1' of shape \(2, 4\) \(4 an item\)"),
    ([(), ()], "as many items"),
])
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(ShapeError, match=message):
        check_layer('type: "EuclideanLoss"', shapes, batch=False)
