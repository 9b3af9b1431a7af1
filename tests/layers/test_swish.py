"""Swish with several steepnesses."""
import numpy as np
import pytest

from netdef.testing import check_layer


@pytest.mark.parametrize("beta", [1, 1.5, 0, -2])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,)])
def test_battery(beta, shape):
    report = check_layer(f'type: "Swish" swish_param {{ beta: {beta} }}', [shape], lambda x: x / (1 + np.exp(-beta * x)))
    assert {"gradients", "in place", "backward_reads", "claims"} <= set(report.passed)


def test_far_out():
    check_layer('type: "Swish"', [np.array([[-1000.0, 1000, 0]])], lambda x: np.array([[0.0, 1000, 0]] * len(x)))
