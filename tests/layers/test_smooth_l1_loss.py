"""SmoothL1Loss: py-faster-rcnn's (sigma; 2 or 4 bottoms) and SSD's (2 or 3), away from where its pieces meet."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import GraphError, ShapeError
from netdef.testing import check_layer


def reference(sigma=1.0):
    def loss(a, b, inside=None, outside=None):
        total = 0.0
        b, inside, outside = (None if w is None else w.reshape(-1) for w in (b, inside, outside))
        for i, x in enumerate(a.reshape(-1)):
            d = (1.0 if inside is None else inside[i]) * (x - b[i])
            f = 0.5 * (sigma * d) ** 2 if abs(d) < 1 / sigma**2 else abs(d) - 0.5 / sigma**2
            total += (1.0 if outside is None else outside[i]) * f
        return np.array(total / max(1, len(a)))

    return loss


INSIDE = np.array([[1.0, 1, 0, 0.5], [0, 1, 1, 2], [1, 0, 1, 1]])
OUTSIDE = np.array([[0.25, 1, 1, 2], [1, 0.5, 0, 1], [1, 1, 2, 0.125]])


@pytest.mark.parametrize("weights", [[], [INSIDE], [INSIDE, OUTSIDE]], ids=["2", "3", "4"])
@pytest.mark.parametrize("sigma", [1, 3, 0.5])
def test_battery(sigma, weights):
    """No difference of these values comes within a step of the kink at 1 / sigma^2."""
    bottoms = [(3, 4), np.zeros((3, 4)), *weights]
    report = check_layer(f'type: "SmoothL1Loss" smooth_l1_loss_param {{ sigma: {sigma} }}', bottoms, reference(sigma),
                         low=-3, high=3)
    assert len(report.gradients) == 4  # by a and b


@pytest.mark.parametrize("shapes", [[(2, 8, 3, 2), (2, 8, 3, 2)], [(3, 4), (3, 4, 1, 1)], [(1, 2, 3), (1, 6)]])
def test_battery_of_shapes(shapes):
    check_layer('type: "SmoothL1Loss"', shapes, reference(), high=2.1)  # no two values differ by 1


def run(arrays, options="", dtype="float64", extra=""):
    names = ["a", "b", "inside", "outside"][: len(arrays)]
    dims = " ".join("shape {" + "".join(f" dim: {n}" for n in np.shape(a)) + " }" for a in arrays)
    text = f'''force_backward: true
        layer {{ name: "in" type: "Input" {" ".join(f'top: "{n}"' for n in names)} input_param {{ {dims} }} }}
        layer {{ name: "loss" type: "SmoothL1Loss" {" ".join(f'bottom: "{n}"' for n in names)} top: "loss" {extra}
                 smooth_l1_loss_param {{ {options} }} }}'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), dtype=dtype)
    net.forward(**dict(zip(names, arrays, strict=True)))
    net.backward()
    return net


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_by_hand(dtype):
    """sigma 2: the square ends at 1/4. Two items, so everything is halved."""
    net = run([[[0.125, 1], [-3, 0]], np.zeros((2, 2)), [[1, 1], [0.5, 1]], [[1, 2], [1, 1]]], "sigma: 2", dtype)
    assert net.loss == (4 * 0.125**2 / 2 + 2 * (1 - 0.125) + (1.5 - 0.125)) / 2
    assert net.blobs["a"].diff.tolist() == [[0.25, 1], [-0.25, 0]]
    assert net.blobs["b"].diff.tolist() == [[-0.25, -1], [0.25, 0]]


def test_where_the_pieces_meet():
    net = run([[[1.0, -1, np.nextafter(1, 0)]], np.zeros((1, 3))])
    assert net.loss == pytest.approx(1.5)
    assert net.blobs["a"].diff[0].tolist() == pytest.approx([1, -1, 1])


def test_nan_and_infinity_are_no_errors():
    assert np.isnan(run([[[np.nan]], [[0.0]]]).loss)
    net = run([[[np.inf]], [[0.0]]])
    assert net.loss == np.inf and net.blobs["a"].diff.tolist() == [[1]]


def test_errors():
    with pytest.raises(GraphError, match="gradient by bottom 2"):
        run([[[0.0]], [[0.0]], [[1.0]]], extra="propagate_down: true propagate_down: true propagate_down: true")
    with pytest.raises(ShapeError, match=r"'a' of shape \(2, 3\) and 'outside' of shape \(2, 4\)"):
        run([np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 4))])
