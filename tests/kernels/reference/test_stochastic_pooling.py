"""Stochastic pooling on windows small enough to do by hand."""
import numpy as np

from netdef import kernels as K

X = np.array([[1.0, 3.0, 0.0], [0.0, 4.0, 2.0]])


def draw(x, u, kernel=(2, 2), stride=(1, 1)):
    out = np.empty(np.shape(u))
    mask = np.empty(np.shape(u), np.int32)
    K.stochastic_pool_draw(np.asarray(x, float), np.asarray(u, float), kernel, stride, out, mask)
    return out.tolist(), mask.tolist()


def test_draws_where_the_running_sum_reaches_its_goal():
    assert draw(X, [[1 / 8, 0.3]]) == ([[1, 3]], [[0, 1]])
    assert draw(X, [[0.2, 0.4]]) == ([[3, 4]], [[1, 4]])
    assert draw(X, [[1.0, 1.0]]) == ([[4, 2]], [[4, 5]])


def test_windows_are_clipped_to_the_image():
    assert draw(X, [[0.5, 1.0]], stride=(1, 2)) == ([[3, 2]], [[1, 5]])


def test_zeros_negatives_and_nan():
    assert draw(np.zeros((2, 2)), [[0.7]]) == ([[0]], [[0]])
    assert draw([[-5.0, 1.0], [0.0, 0.0]], [[0.01]]) == ([[1]], [[1]])
    out, mask = draw([[np.nan, 1.0], [0.0, 0.0]], [[0.5]])
    assert np.isnan(out[0][0]) and mask == [[-1]]


def test_mean_and_its_gradient():
    out, dx = np.empty((1, 2)), np.empty_like(X)
    K.stochastic_pool_mean(X, (2, 2), (1, 1), out)
    np.testing.assert_allclose(out, [[26 / 8, 29 / 9]])
    K.stochastic_pool_mean_backward(X, np.array([[8.0, 0.0]]), (2, 2), (1, 1), dx)
    np.testing.assert_allclose(dx, [[2 - 3.25, 6 - 3.25, 0], [0 - 3.25, 8 - 3.25, 0]])


def test_a_window_without_a_positive_sum_has_mean_and_gradient_zero():
    x, out, dx = np.zeros((2, 2)), np.empty((1, 1)), np.empty((2, 2))
    K.stochastic_pool_mean(x, (2, 2), (1, 1), out)
    K.stochastic_pool_mean_backward(x, np.ones((1, 1)), (2, 2), (1, 1), dx)
    assert not out.any() and not dx.any()
