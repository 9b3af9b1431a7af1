"""Threshold: strictly above, and no gradient."""
import numpy as np
import pytest

from netdef.testing import check_layer


@pytest.mark.parametrize("limit", [0, 0.75, -1.5])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,)])
def test_battery(limit, shape):
    report = check_layer(f'type: "Threshold" threshold_param {{ threshold: {limit} }}', [shape],
                         lambda x: (x > limit).astype(float))
    assert report.skipped["gradients"] == "nothing is differentiable"
    assert "in place" in report.passed


def test_equal_and_nan_give_zero():
    check_layer('type: "Threshold" threshold_param { threshold: 0.5 }', [np.array([[0.5, np.nan, 0.75, np.inf]])],
                lambda x: np.array([[0.0, 0, 1, 1]] * len(x)))
