import math

import numpy as np
import pytest

from netdef import kernels as K

RNG = np.random.default_rng(3)


def softmax(x):
    """softmax_forward into a new array."""
    out = np.empty_like(x)
    K.softmax_forward(x, out)
    return out


def test_against_the_formula():
    x = RNG.standard_normal((2, 5, 3))
    np.testing.assert_allclose(softmax(x), np.exp(x) / np.exp(x).sum(1, keepdims=True))


def test_large_scores_and_in_place():
    x = np.array([[[1000.0], [0.0]]], np.float32)
    K.softmax_forward(x, x)
    assert x.ravel().tolist() == [1, 0]


def test_infinite_score_gives_nan():
    assert np.isnan(softmax(np.array([[[np.inf], [0.0]]]))).any()


def test_gradient_by_differences():
    x, dy = RNG.standard_normal((2, 4, 3)), RNG.standard_normal((2, 4, 3))
    dx, step = np.empty_like(x), 1e-6
    K.softmax_backward(softmax(x), dy, dx)
    for i in np.ndindex(*x.shape):
        e = np.zeros_like(x)
        e[i] = step
        assert dx[i] == pytest.approx(((softmax(x + e) - softmax(x - e)) * dy).sum() / (2 * step), abs=1e-8)


def test_loss_counts_and_ignores():
    prob = softmax(RNG.standard_normal((2, 3, 2)))
    label = np.array([[0.0, 2.0], [1.0, 2.9]])  # 2.9 is truncated
    want = [-math.log(p) for p in (prob[0, 0, 0], prob[0, 2, 1], prob[1, 1, 0], prob[1, 2, 1])]
    total, count, bad = K.softmax_loss_forward(prob, label, None)
    assert (total, count, bad) == (pytest.approx(sum(want)), 4, -1)
    total, count, bad = K.softmax_loss_forward(prob, label, 2)
    assert (total, count, bad) == (pytest.approx(want[0] + want[2]), 2, -1)


@pytest.mark.parametrize("wrong", [3.0, -1.0, np.nan])
def test_bad_label_is_reported(wrong):
    prob = np.full((2, 3, 1), 1 / 3)
    total, count, bad = K.softmax_loss_forward(prob, np.array([[1.0], [wrong]]), 255)
    assert (total, count, bad) == (pytest.approx(math.log(3)), 1, 1)
    assert K.softmax_loss_forward(prob, np.array([[-1.0], [0.0]]), -1)[1:] == (1, -1)  # ignored, so not bad


def test_loss_cap():
    prob = softmax(np.array([[[0.0], [1000.0]]], np.float32))
    assert K.softmax_loss_forward(prob, np.zeros((1, 1), np.float32), None)[0] == pytest.approx(87.33655, abs=1e-4)


def test_loss_of_nan_is_nan():
    assert math.isnan(K.softmax_loss_forward(np.full((1, 2, 1), np.nan), np.zeros((1, 1)), None)[0])


def test_loss_gradient():
    prob = softmax(RNG.standard_normal((2, 3, 1)))
    before, dx = prob.copy(), np.empty_like(prob)
    K.softmax_loss_backward(prob, np.array([[1.0], [2.0]]), 2, 0.5, dx)
    np.testing.assert_allclose(dx[0, :, 0], 0.5 * (before[0, :, 0] - [0, 1, 0]))
    assert (dx[1] == 0).all() and (prob == before).all()
    K.softmax_loss_backward(prob, np.array([[1.0], [2.0]]), 2, 0.5, prob)
    assert (prob == dx).all()


def test_empty_batch():
    empty = np.empty((0, 3, 1))
    K.softmax_forward(empty, empty)
    assert K.softmax_loss_forward(empty, np.empty((0, 1)), None) == (0, 0, -1)
    K.softmax_loss_backward(empty, np.empty((0, 1)), None, 1.0, empty)
