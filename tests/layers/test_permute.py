"""Permute: the battery, SSD's rule for axes that are not listed (trap 30)."""
import numpy as np
import pytest

from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


def config(*order):
    return 'type: "Permute" permute_param { ' + " ".join(f"order: {k}" for k in order) + " }"


@pytest.mark.parametrize("order, shape, whole", [
    ((0, 2, 3, 1), (2, 3, 4, 2), (0, 2, 3, 1)),  # SSD's heads: channels last
    ((2, 0), (2, 1, 3, 4), (2, 0, 1, 3)),
    ((), (2, 3), (0, 1)),
    ((1,), (3, 2), (1, 0)),
    ((0, 1), (2, 3), (0, 1)),
    ((2, 1, 0), (2, 3, 4), (2, 1, 0)),
])
def test_trap_30_battery(order, shape, whole):
    report = check_layer(config(*order), [shape], lambda x: x.transpose(whole))
    assert {"values", "gradients", "backward_reads", "other shape"} <= set(report.passed)


def test_moves_values():
    x = np.arange(6.0).reshape(2, 3)
    check_layer(config(1, 0), [x], lambda _: np.array([[0, 3], [1, 4], [2, 5]]), batch=False)


def test_an_axis_twice():
    with pytest.raises(FieldError, match="order: expected each axis at most once, got 1 twice"):
        check_layer(config(1, 0, 1), [(2, 3, 4)])


def test_an_axis_that_is_not_there():
    with pytest.raises(ShapeError, match="order 4 does not exist in a bottom of 4 axes"):
        check_layer(config(4), [(2, 3, 4, 5)])
