"""ReLU against its formula, and the battery."""
import numpy as np
import pytest

from netdef.testing import check_layer


@pytest.mark.parametrize("slope", [0.0, 0.25])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,)])
def test_battery(slope, shape):
    report = check_layer(f'type: "ReLU" relu_param {{ negative_slope: {slope} }}', [shape],
                         lambda x: np.maximum(x, 0) + slope * np.minimum(x, 0), kink=0)
    assert "in place" in report.passed and "gradients" in report.passed


def test_a_negative_slope_learns_out_of_place_only():
    report = check_layer('type: "ReLU" relu_param { negative_slope: -0.5 }', [(3, 4)],
                         lambda x: np.where(x > 0, x, -0.5 * x), kink=0)
    assert {"gradients", "in place", "backward_reads"} <= set(report.passed)


def test_at_zero_and_at_nan():
    x = np.array([[0.0, -0.0, np.nan, np.inf]])
    check_layer('type: "ReLU"', [x], lambda x: np.where(x > 0, x, np.where(np.isnan(x), x, 0)),
                skip=["gradients", "batches"])
