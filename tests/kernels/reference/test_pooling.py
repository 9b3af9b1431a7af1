import numpy as np
import pytest

from netdef import kernels as K

LOWEST = np.float32(-3.4028235e38)
MAGIC = [[35, 1, 6, 26, 19, 24], [3, 32, 7, 21, 23, 25], [31, 9, 2, 22, 27, 20],
         [8, 28, 33, 17, 10, 15], [30, 5, 34, 12, 14, 16], [4, 36, 29, 13, 18, 11]]


def max_pool(plane, kernel, stride, pad, size):
    """One plane through max_pool_forward: values and mask as lists."""
    x = np.array(plane, np.float64)[None, None]
    out, mask = np.full((1, 1, *size), np.nan), np.full((1, 1, *size), -7, np.int32)
    K.max_pool_forward(x, kernel, stride, pad, out, mask)
    return out[0, 0].tolist(), mask[0, 0].tolist()


def ave_pool(plane, kernel, stride, pad, size):
    """One plane through ave_pool_forward."""
    out = np.full((1, 1, *size), np.nan)
    K.ave_pool_forward(np.array(plane, np.float64)[None, None], kernel, stride, pad, out)
    return out[0, 0]


def test_max_first_maximum_wins():
    out, mask = max_pool([[1, 2, 5, 2, 3], [9, 4, 1, 4, 8], [1, 2, 5, 2, 3]], (2, 2), (1, 1), (0, 0), (2, 4))
    assert out == [[9, 5, 5, 8], [9, 5, 5, 8]]
    assert mask == [[5, 2, 2, 9], [5, 12, 12, 9]]


def test_max_oblong_windows():
    out, mask = max_pool(MAGIC, (3, 2), (1, 1), (0, 0), (4, 5))
    assert out == [[35, 32, 26, 27, 27], [32, 33, 33, 27, 27], [31, 34, 34, 27, 27], [36, 36, 34, 18, 18]]
    assert mask == [[0, 7, 3, 16, 16], [7, 20, 20, 16, 16], [12, 26, 26, 16, 16], [31, 31, 26, 34, 34]]
    out, _ = max_pool(MAGIC, (2, 3), (1, 1), (0, 0), (5, 4))
    assert out == [[35, 32, 26, 26], [32, 32, 27, 27], [33, 33, 33, 27], [34, 34, 34, 17], [36, 36, 34, 18]]


def test_max_padding():
    out, _ = max_pool([[1, 2, 4], [2, 3, 2], [4, 2, 1]], (3, 3), (2, 2), (2, 2), (3, 3))
    assert out == [[1, 4, 4], [4, 4, 4], [4, 4, 1]]


def test_max_never_picks_nan_or_minus_infinity():
    nan = np.nan
    out, mask = max_pool([[nan, nan], [nan, nan]], (2, 2), (2, 2), (0, 0), (1, 1))
    assert out == [[LOWEST]] and mask == [[-1]]
    out, mask = max_pool([[nan, -np.inf], [-5, nan]], (2, 2), (2, 2), (0, 0), (1, 1))
    assert out == [[-5]] and mask == [[2]]


def test_max_backward_adds_and_ignores_minus_one():
    mask = np.array([[[[0, 3], [3, -1]]]], np.int32)
    dx = np.full((1, 1, 2, 2), np.nan)
    K.max_pool_backward(np.array([[[[1.0, 2], [4, 8]]]]), mask, dx)
    assert dx[0, 0].tolist() == [[1, 0], [0, 6]]


def test_average_counts_padding():
    got = ave_pool(np.full((3, 3), 2), (3, 3), (1, 1), (1, 1), (3, 3))
    np.testing.assert_allclose(got, [[8 / 9, 4 / 3, 8 / 9], [4 / 3, 2, 4 / 3], [8 / 9, 4 / 3, 8 / 9]])


def test_average_does_not_count_the_overhang():
    ones = np.ones((4, 4))
    assert (ave_pool(ones, (3, 3), (2, 2), (0, 0), (2, 2)) == 1).all()
    np.testing.assert_allclose(ave_pool(ones, (3, 3), (2, 2), (1, 1), (3, 3)),
                               [[4 / 9, 2 / 3, 1 / 3], [2 / 3, 1, 1 / 2], [1 / 3, 1 / 2, 1 / 4]])


def test_window_wholly_outside_gives_zero():
    assert ave_pool(np.ones((3, 3)), (1, 1), (3, 3), (0, 0), (2, 2)).tolist() == [[1, 0], [0, 0]]
    out, mask = max_pool(np.ones((3, 3)), (1, 1), (3, 3), (0, 0), (2, 2))
    assert mask == [[0, -1], [-1, -1]] and out[1][1] == LOWEST


@pytest.mark.parametrize("kernel, stride, pad, size", [((3, 2), (2, 1), (1, 1), (4, 7)), ((2, 2), (3, 2), (0, 0), (2, 3)),
                                                       ((7, 6), (1, 1), (0, 0), (1, 1))])
def test_average_backward_is_the_adjoint(kernel, stride, pad, size):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 3, 7, 6)), rng.standard_normal((2, 3, *size))
    out, dx = np.empty_like(dy), np.empty_like(x)
    K.ave_pool_forward(x, kernel, stride, pad, out)
    K.ave_pool_backward(dy, kernel, stride, pad, dx)
    assert np.isclose((out * dy).sum(), (x * dx).sum())


def test_empty_batch():
    x, out, mask = np.empty((0, 2, 4, 4)), np.empty((0, 2, 2, 2)), np.empty((0, 2, 2, 2), np.int32)
    K.max_pool_forward(x, (2, 2), (2, 2), (0, 0), out, mask)
    K.max_pool_backward(out, mask, x)
    K.ave_pool_forward(x, (2, 2), (2, 2), (0, 0), out)
    K.ave_pool_backward(out, (2, 2), (2, 2), (0, 0), x)
