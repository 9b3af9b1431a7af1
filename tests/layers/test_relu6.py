"""ReLU6: the battery."""
import numpy as np
import pytest

from netdef.testing import check_layer


@pytest.mark.parametrize("slope", [0.0, 0.25, -0.5])
def test_battery(slope):
    def plain(x):
        return np.clip(x, 0, 6) + slope * np.minimum(x, 0)
    x = np.random.default_rng(2).uniform(-9, 9, (3, 4, 5))
    report = check_layer(f'type: "ReLU6" relu6_param {{ negative_slope: {slope} }}', [x], plain)
    assert {"values", "gradients"} <= set(report.passed)


def test_corners():
    check_layer('type: "ReLU6"', [np.array([[-1.0, 5.5, 6.5, 100.0]])], lambda _: np.array([[0, 5.5, 6, 6]]), batch=False)
