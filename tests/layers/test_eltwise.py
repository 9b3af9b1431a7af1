"""Eltwise: its three operations, ties and NaN by Caffe's rule, coefficients, and the errors."""
import functools
import logging

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer

SHAPE = (2, 3, 2)


@pytest.mark.parametrize(("options", "reference", "bottoms"), [
    ("", lambda *x: sum(x), 2),
    ("operation: SUM", lambda *x: sum(x), 4),
    ("coeff: 2 coeff: -0.5 coeff: 0", lambda a, b, c: 2 * a - 0.5 * b, 3),
    ("coeff: 1 coeff: 1 coeff: -3", lambda a, b, c: a + b - 3 * c, 3),
    ("operation: PROD", lambda *x: functools.reduce(np.multiply, x), 2),
    ("operation: PROD", lambda *x: functools.reduce(np.multiply, x), 4),
    ("operation: PROD stable_prod_grad: false", lambda *x: functools.reduce(np.multiply, x), 3),
    ("operation: MAX", lambda *x: functools.reduce(np.maximum, x), 2),
    ("operation: MAX", lambda *x: functools.reduce(np.maximum, x), 4),
])
def test_battery(options, reference, bottoms):
    report = check_layer(f'type: "Eltwise" eltwise_param {{ {options} }}', far_apart(bottoms), reference)
    assert "gradients" in report.passed


def far_apart(count):
    """Arrays of SHAPE; any two values differ by at least 0.1, so that no maximum moves, and none is near 0."""
    values = np.random.default_rng(3).permutation(count * int(np.prod(SHAPE))) * 0.1 - 1.96
    return list(values.reshape(count, *SHAPE))


def run(options, *values, dy=None):
    """(y, [dx]) of one-axis bottoms."""
    n = len(values[0])
    tops = " ".join(f'top: "x{i}"' for i in range(len(values)))
    text = f'''force_backward: true
        layer {{ name: "in" type: "Input" {tops} input_param {{ shape {{ dim: {n} }} }} }}
        layer {{ name: "e" type: "Eltwise" {tops.replace("top", "bottom")} top: "y" eltwise_param {{ {options} }} }}'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))
    net.forward(**{f"x{i}": v for i, v in enumerate(values)})
    net.backward(y=np.ones(n) if dy is None else dy)
    return net.blobs["y"].data, [net.blobs[f"x{i}"].diff.tolist() for i in range(len(values))]


def test_ties_of_the_maximum():
    """Trap 4: bottom 1 beats bottom 0; bottom 2 must be larger."""
    y, dx = run("operation: MAX", [1, 2, 5], [1, 2, 4], [1, 3, 5])
    assert y.tolist() == [1, 3, 5]
    assert dx == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_nan_and_the_maximum():
    nan = np.nan
    y, dx = run("operation: MAX", [nan, 1, 1], [1, nan, 1], [0, 2, nan])
    assert np.array_equal(y, [1, nan, 1], equal_nan=True)
    assert dx == [[0, 0, 0], [1, 1, 1], [0, 0, 0]]


def test_an_infinite_gradient_stays_with_the_winner():
    assert run("operation: MAX", [1, 2], [2, 1], dy=[np.inf, 1])[1] == [[0, 1], [np.inf, 0]]


def test_products_with_a_zero():
    assert run("operation: PROD", [0, 2], [3, 4], [5, 6])[1] == [[15, 24], [0, 12], [0, 8]]
    unstable = run("operation: PROD stable_prod_grad: false", [0, 2], [3, 4], [5, 6])[1]
    assert np.isnan(unstable[0][0])
    assert [g[1] for g in unstable] == [24, 12, 8]


def test_one_blob_twice():
    text = '''force_backward: true
        layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 } } }
        layer { name: "e" type: "Eltwise" bottom: "x" bottom: "x" top: "y" eltwise_param { operation: PROD } }'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))
    net.forward(x=[3, -2])
    net.backward(y=[1, 1])
    assert net.blobs["x"].diff.tolist() == [6, -4]


@pytest.mark.parametrize(("options", "message"), [
    ("coeff: 1", r"coeff: expected one a bottom \(2\), got 1"),
    ("operation: PROD coeff: 1 coeff: 1", "coeff: a product takes no coefficients"),
])
def test_bad_coefficients(options, message):
    with pytest.raises(FieldError, match=message):
        check_layer(f'type: "Eltwise" eltwise_param {{ {options} }}', [(2,), (2,)])


def test_coefficients_of_a_maximum_are_ignored(caplog):
    with caplog.at_level(logging.WARNING, "netdef"):
        assert run("operation: MAX coeff: 5 coeff: 5", [1], [2])[0].tolist() == [2]
    assert "a maximum takes no coefficients" in caplog.text


def test_unequal_shapes_name_both():
    with pytest.raises(ShapeError, match=r"one shape, got 'b0' of shape \(2, 3\) and 'b2' of shape \(2, 1\)"):
        check_layer('type: "Eltwise"', [(2, 3), (2, 3), (2, 1)])
