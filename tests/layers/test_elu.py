"""ELU with several alphas, in place and not."""
import numpy as np
import pytest

from netdef.testing import check_layer


def elu(alpha):
    return lambda x: np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1))


@pytest.mark.parametrize("alpha", [1.0, 0.25, 0.0, 3.0])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,)])
def test_battery(alpha, shape):
    report = check_layer(f'type: "ELU" elu_param {{ alpha: {alpha} }}', [shape], elu(alpha), kink=0)
    assert {"gradients", "in place", "backward_reads", "claims"} <= set(report.passed)


def test_a_negative_alpha_learns_out_of_place_only():
    report = check_layer('type: "ELU" elu_param { alpha: -0.5 }', [(3, 4)], elu(-0.5), kink=0)
    assert {"gradients", "in place", "backward_reads"} <= set(report.passed)


def test_at_zero_and_far_out():
    x = np.array([[0.0, -1000, 1000, np.nan, -1e-9]])
    check_layer('type: "ELU"', [x], lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
                skip=["gradients", "batches", "claims"], tolerance=1e-15)
