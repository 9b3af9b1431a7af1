import numpy as np
import pytest

from netdef import kernels as K
from netdef.kernels.reference.update import CHUNK


def test_old_velocity_keeps_the_old_rate():
    w, history = np.array([1.0]), np.zeros(1)
    K.sgd_update(w, np.array([3.0]), history, 0.1, 0.5)
    assert w[0] == pytest.approx(0.7)
    K.sgd_update(w, np.array([1.8]), history, 0.01, 0.5)
    assert w[0] == pytest.approx(0.7 - 0.168)


def test_decay():
    w, g = np.array([-2.0, 0.0, 4.0]), np.ones(3)
    K.l2_decay(w, 0.5, g)
    assert g.tolist() == [0, 1, 3]
    K.l1_decay(w, 0.5, g)
    assert g.tolist() == [-0.5, 1, 3.5]


@pytest.mark.parametrize("size", [0, 1, CHUNK, 2 * CHUNK + 5])
def test_sums(size):
    x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    assert K.sum_squares(x) == pytest.approx(float((x.astype(np.float64) ** 2).sum()), rel=1e-12)
    assert K.sum_abs(x) == pytest.approx(float(np.abs(x.astype(np.float64)).sum()), rel=1e-12)


def test_squares_do_not_overflow():
    assert K.sum_squares(np.full(4, 1e30, np.float32)) == pytest.approx(4e60)
