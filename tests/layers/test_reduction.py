"""Reduction: four operations over every number of axes."""
import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer

OPERATIONS = {"SUM": np.sum, "MEAN": np.mean, "ASUM": lambda x, axis: np.abs(x).sum(axis),
              "SUMSQ": lambda x, axis: np.square(x).sum(axis)}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("coeff", [1, -2.5])
@pytest.mark.parametrize(("axis", "reduced"), [(0, (0, 1, 2)), (1, (1, 2)), (2, (2,)), (-1, (2,)), (-3, (0, 1, 2))])
def test_battery(operation, coeff, axis, reduced):
    report = check_layer(
        f'type: "Reduction" reduction_param {{ operation: {operation} coeff: {coeff} axis: {axis} }}', [(2, 3, 4)],
        lambda x: coeff * OPERATIONS[operation](x, axis=reduced), kink=0 if operation == "ASUM" else None)
    assert {"gradients", "backward_reads"} <= set(report.passed)


def test_the_default_is_the_sum_of_all():
    check_layer('type: "Reduction"', [(2, 3)], np.sum)


def test_the_sign_of_zero_is_zero():
    check_layer('type: "Reduction" reduction_param { operation: ASUM axis: 1 }', [np.zeros((2, 3))],
                lambda x: np.zeros(len(x)), skip=["gradients"])


def test_an_axis_too_many():
    with pytest.raises(ShapeError, match="axis 2 does not exist in a bottom of 2 axes"):
        check_layer('type: "Reduction" reduction_param { axis: 2 }', [(2, 3)])
