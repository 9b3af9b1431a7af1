"""The shared arithmetic of the normalising layers on small cases."""
import numpy as np

from netdef import kernels as K


def run(x, eps=0.0, after=False):
    groups = x.shape[1]
    mean, var, divisor = (np.empty(groups) for _ in range(3))
    out = np.empty_like(x)
    K.standardize(x, eps, after, np.empty_like(x), mean, var, divisor.astype(x.dtype), out)
    return out, mean, var


def test_groups_are_those_of_the_middle_axis():
    x = np.array([[[1.0, 3.0], [0.0, 0.0]], [[5.0, 7.0], [2.0, 2.0]]])
    out, mean, var = run(x)
    assert mean.tolist() == [4, 1] and var.tolist() == [5, 1]
    np.testing.assert_allclose(out[:, 0].ravel(), np.array([-3, -1, 1, 3]) / np.sqrt(5))


def test_in_place_and_both_kinds_of_eps():
    x = np.array([[[0.0, 2.0]]])
    assert run(x, 3.0)[0].ravel().tolist() == [-0.5, 0.5]  # sqrt(1 + 3)
    assert run(x, 3.0, after=True)[0].ravel().tolist() == [-0.25, 0.25]  # sqrt(1) + 3
    K.standardize(x, 3.0, False, np.empty_like(x), np.empty(1), np.empty(1), np.empty(1), x)
    assert x.ravel().tolist() == [-0.5, 0.5]


def test_no_values_give_zeros():
    _, mean, var = run(np.empty((0, 2, 3)), 1.0)
    assert mean.tolist() == [0, 0] and var.tolist() == [0, 0]


def test_long_float32_rows_keep_their_mean():
    x = np.random.default_rng(0).normal(100, 1, (1, 1, 1 << 20)).astype(np.float32)
    _, mean, var = run(x)
    np.testing.assert_allclose(mean, x.mean(dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(var, x.var(dtype=np.float64), rtol=1e-5)


def test_a_second_output_may_be_the_input():
    x = np.array([[[0.0, 2.0]]])
    out = np.empty_like(x)
    K.standardize(x, 0.0, False, np.empty_like(x), np.empty(1), np.empty(1), np.empty(1), out, x)
    assert out.ravel().tolist() == x.ravel().tolist() == [-1, 1]


def test_shift_divide():
    x = np.array([[[3.0], [10.0]]])
    K.shift_divide(x, np.array([1.0, 4.0]), np.array([2.0, 3.0]), x)
    assert x.ravel().tolist() == [1, 2]
