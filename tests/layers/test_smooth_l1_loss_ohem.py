"""SmoothL1LossOHEM against a plain loop in every normalization, and what it refuses."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer

DIVISOR = {"VALID": lambda n, places: n * places, "FULL": lambda n, places: n * places, "BATCH_SIZE": lambda n, places: n,
           "NONE": lambda n, places: 1, "PRE_FIXED": lambda n, places: 5.0}


def reference(mode="VALID"):
    def loss(a, b, weights=None):
        four = (*a.shape, *(1,) * (4 - a.ndim))
        a, b, weights = a.reshape(four), b.reshape(four), np.ones(four) if weights is None else weights.reshape(four)
        by_region = np.zeros((four[0], 1, *four[2:]))
        for n, c, h, w in np.ndindex(*four):
            d = weights[n, c, h, w] * (a[n, c, h, w] - b[n, c, h, w])
            by_region[n, 0, h, w] += d * d / 2 if abs(d) < 1 else abs(d) - 0.5
        return [np.array(by_region.sum() / max(1, DIVISOR[mode](four[0], four[2] * four[3]))), by_region]
    return loss


@pytest.mark.parametrize("mode", DIVISOR)
@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 1, 1), (2, 3, 2, 2)])
def test_battery(mode, shape):
    weights = np.resize([1.0, 0, 0.5], shape)
    report = check_layer(f'type: "SmoothL1LossOHEM" loss_param {{ normalization: {mode} pre_fixed_normalizer: 5 }}',
                         [shape, np.zeros(shape), weights], reference(mode), tops=2, low=-3, high=3)
    assert {"values", "gradients", "batches"} <= set(report.passed) and len(report.gradients) == 4


def test_two_bottoms_one_top_and_the_legacy_option():
    check_layer('type: "SmoothL1LossOHEM"', [(3, 4, 1, 2), np.zeros((3, 4, 1, 2))], lambda a, b: reference()(a, b)[0])
    check_layer('type: "SmoothL1LossOHEM" loss_param { normalize: false }', [(3, 4, 1, 2), np.zeros((3, 4, 1, 2))],
                lambda a, b: reference("BATCH_SIZE")(a, b)[0])


def test_by_hand():
    """Regions of losses 1/8 + 1/2 and 5/2, divided by two places."""
    net = netdef.Net(parse_text_message('''force_backward: true
        layer { name: "in" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 2 } } }
        layer { name: "l" type: "SmoothL1LossOHEM" bottom: "a" bottom: "b" top: "loss" top: "each" }''', "n.prototxt",
                                        "NetParameter"))
    net.forward(a=np.array([[0.5, -1], [3, 0]]), b=np.zeros((2, 2)))
    net.backward()
    assert net.loss == 3.125 / 2 and net.blobs["each"].data.tolist() == [[[[0.625]]], [[[2.5]]]]
    assert net.blobs["a"].diff.tolist() == [[0.25, -0.5], [0.5, 0]]


@pytest.mark.parametrize(("text", "shapes", "error", "message"), [
    ("loss_param { ignore_label: 1 }", [(2, 4), (2, 4)], FieldError,
     "loss_param { ignore_label } has no meaning in this type; remove it"),
    ("", [(2, 4), (2, 3)], ShapeError, r"expected as many items \(axis 0\) and as many values an item"),
    ("", [(2,), (2,)], ShapeError, r"expected a bottom of at least two axes \(N, C, ...\), got \(2,\)"),
])
def test_refused(text, shapes, error, message):
    with pytest.raises(error, match=message):
        check_layer(f'type: "SmoothL1LossOHEM" {text}', shapes)
