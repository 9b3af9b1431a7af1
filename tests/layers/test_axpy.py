"""Axpy: the battery, and what it refuses."""
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer


@pytest.mark.parametrize("a, x", [((2, 3), (2, 3, 4, 5)), ((2, 3, 1, 1), (2, 3, 4, 5)), ((1, 2), (1, 2))])
def test_battery(a, x):
    check_layer('type: "Axpy"', [a, x, x], lambda a, x, y: a.reshape(*x.shape[:2], *[1] * (x.ndim - 2)) * x + y)


def test_numbers_for_other_channels():
    with pytest.raises(ShapeError, match=r"expected one number for each item and channel of x \(2, 3, 4, 4\)"):
        check_layer('type: "Axpy"', [(2, 4, 1, 1), (2, 3, 4, 4), (2, 3, 4, 4)])


def test_another_shape_to_add():
    with pytest.raises(ShapeError, match=r"expected the shape of x, \(2, 3, 4, 4\), got \(2, 3, 4, 5\)"):
        check_layer('type: "Axpy"', [(2, 3), (2, 3, 4, 4), (2, 3, 4, 5)])
