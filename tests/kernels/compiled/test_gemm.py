"""Compiled matrix products against float64: all forms, sizes off every block, and nothing written outside."""
import itertools

import numpy as np
import pytest

from netdef.kernels.compiled import gemm as G

pytestmark = pytest.mark.compiled

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
    monkeypatch.setattr(G, "LEAST_WORK", 1)


@pytest.mark.parametrize("trans_a, trans_b", [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("add", [False, True])
def test_agrees_with_float64(trans_a, trans_b, add):
    for m, n, k in itertools.product((1, 2, 4, 5, 17, 48, 65), (1, 7, 48, 100), (1, 64, 129)):
        a = RNG.standard_normal((k, m) if trans_a else (m, k)).astype(np.float32)
        b = RNG.standard_normal((n, k) if trans_b else (k, n)).astype(np.float32)
        memory = np.full(m * n + 64, 7, np.float32)
        out = memory[32:32 + m * n].reshape(m, n)
        G.gemm(a, b, out, trans_a, trans_b, add)
        exact = (a.T if trans_a else a).astype(float) @ (b.T if trans_b else b).astype(float) + (7 if add else 0)
        np.testing.assert_allclose(out, exact, rtol=0, atol=2e-5 * np.sqrt(k), err_msg=str((m, n, k)))
        assert (memory[:32] == 7).all() and (memory[32 + m * n:] == 7).all()


def test_long_depth_is_summed_in_parts():
    a, b, out = np.ones((6, 5000), np.float32), np.ones((70, 5000), np.float32), np.empty((6, 70), np.float32)
    G.gemm(a, b, out, trans_b=True)
    assert (out == 5000).all()


def test_nan_and_infinity_arrive():
    a, b, out = np.zeros((9, 300), np.float32), np.ones((300, 200), np.float32), np.empty((9, 200), np.float32)
    a[3, 299], b[0, 199] = np.nan, np.inf
    G.gemm(a, b, out)
    assert np.isnan(out[3]).all() and np.isnan(out[:, 199]).all() and not np.isnan(out[4, :199]).any()


def test_two_transposes_go_to_the_reference():
    a, b, out = RNG.standard_normal((5, 4)), RNG.standard_normal((3, 5)), np.empty((4, 3))
    G.gemm(a, b, out, True, True)
    np.testing.assert_allclose(out, a.T @ b.T)
