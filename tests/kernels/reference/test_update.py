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


def test_decay_inside_the_step_is_decay_before_it():
    rng = np.random.default_rng(1)
    w, g, h, v = (rng.standard_normal(9) for _ in range(4))
    for update, state, rates in ((K.sgd_update, (h,), (0.1, 0.9)), (K.nesterov_update, (h,), (0.1, 0.9)),
                                 (K.adam_update, (h, v * v), (0.1, 0.9, 0.99, 1e-8))):
        one, two, before = w.copy(), w.copy(), g.copy()
        decayed = g.copy()
        K.l2_decay(two, 0.05, decayed)
        update(one, g, *(s.copy() for s in state), *rates, 0.05)
        update(two, decayed, *(s.copy() for s in state), *rates)
        np.testing.assert_allclose(one, two, rtol=1e-14)
        assert np.array_equal(g, before)


def test_nesterov_looks_ahead():
    w, history = np.array([1.0]), np.array([2.0])
    K.nesterov_update(w, np.array([3.0]), history, 0.1, 0.5)
    assert history[0] == pytest.approx(0.5 * 2 + 0.3)
    assert w[0] == pytest.approx(1 - (1.5 * 1.3 - 1.0))


def test_adam_first_step_has_the_length_of_the_rate():
    w, m, v = np.zeros(2), np.zeros(2), np.zeros(2)
    K.adam_update(w, np.array([5.0, -1e-3]), m, v, 0.1 * np.sqrt(1 - 0.999) / (1 - 0.9), 0.9, 0.999, 0.0)
    np.testing.assert_allclose(w, [-0.1, 0.1])
