"""Softmax along each axis, against the definition and at the ends of the numbers."""
import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.layers.softmax import as_three
from netdef.testing import check_layer


def reference(x, axis=1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize(("axis", "shape", "batch"), [(1, (2, 5), True), (1, (2, 3, 2, 2), True), (2, (2, 3, 4), True),
                                                      (-1, (2, 3, 4), True), (0, (3, 2), False), (0, (4,), False)])
def test_battery(axis, shape, batch):
    report = check_layer(f'type: "Softmax" softmax_param {{ axis: {axis} }}', [shape],
                         lambda x: reference(x, axis), batch=batch)
    assert {"gradients", "in place"} <= set(report.passed)


def test_huge_scores_and_infinities():
    x = np.array([[1000.0, 1000, -1000], [-np.inf, 0, 0]])
    check_layer('type: "Softmax"', [x], lambda x: reference(x), skip=["gradients"])


def test_default_axis():
    check_layer('type: "Softmax"', [(2, 3)], reference)


def test_the_axis_must_exist():
    with pytest.raises(ShapeError, match="axis 1 does not exist in a bottom of 1 axes"):
        check_layer('type: "Softmax"', [(3,)])


def test_as_three_is_a_view():
    x = np.zeros((2, 3, 4, 5))
    assert as_three(x, 1).shape == (2, 3, 20)
    assert as_three(x, -1).shape == (24, 5, 1)
    assert np.shares_memory(as_three(x, 2), x)
    assert as_three(np.zeros((0, 3)), 1).shape == (0, 3, 1)
