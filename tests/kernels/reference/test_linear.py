import itertools

import numpy as np
import pytest

from netdef import kernels as K

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("trans_a, trans_b, accumulate", list(itertools.product([False, True], repeat=3)))
def test_gemm(trans_a, trans_b, accumulate):
    a, b, out = RNG.standard_normal((3, 4)), RNG.standard_normal((4, 5)), RNG.standard_normal((3, 5))
    want = a @ b + (out if accumulate else 0)
    K.gemm(a.T.copy() if trans_a else a, b.T.copy() if trans_b else b, out, trans_a, trans_b, accumulate)
    np.testing.assert_allclose(out, want)


def test_gemm_of_nothing_is_zero():
    out = np.full((2, 3), np.nan)
    K.gemm(np.empty((2, 0)), np.empty((0, 3)), out)
    assert (out == 0).all()


def test_bias():
    y, db = np.zeros((2, 3, 2)), np.ones(3)
    K.bias_add(y, np.array([1.0, 2.0, 3.0]))
    assert y[1].tolist() == [[1, 1], [2, 2], [3, 3]]
    K.bias_grad(y, db)
    assert db.tolist() == [5, 9, 13]


def test_vectors():
    x, y = np.array([1.0, 2.0]), np.array([10.0, 20.0])
    K.axpy(3.0, x, y)
    assert y.tolist() == [13, 26]
    K.axpy(1.0, x, y)
    assert y.tolist() == [14, 28]
    K.scale(0.5, y, y)
    assert y.tolist() == [7, 14]
    K.add(x, y, y)
    assert y.tolist() == [8, 16]
    K.multiply(x, y, y)
    assert y.tolist() == [8, 32]
