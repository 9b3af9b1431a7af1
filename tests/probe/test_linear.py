"""Least squares by every way, against numpy's."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.probe import linear
from netdef.probe.linear import LeastSquares, cgls

RNG = np.random.default_rng(7)
SHAPES = [(5, 5), (4, 9), (9, 4), (1, 6), (6, 1)]


def ways(monkeypatch, way):
    limits = {"SVD": (500, 3000), "Gram": (0, 3000), "LU": (0, 0)}[way]
    monkeypatch.setattr(linear, "SVD_MOST", limits[0])
    monkeypatch.setattr(linear, "EIGEN_MOST", limits[1])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("way", ["SVD", "Gram", "LU"])
def test_as_lstsq(monkeypatch, shape, way):
    ways(monkeypatch, way)
    w, y = RNG.standard_normal(shape), RNG.standard_normal((shape[0], 3))
    solver = LeastSquares(w)
    assert solver.solve(y) == pytest.approx(np.linalg.lstsq(w, y, rcond=None)[0], abs=1e-9)
    assert solver.how.startswith(way)


@pytest.mark.parametrize("way", ["SVD", "Gram", "LU"])
@pytest.mark.parametrize("shape", [(6, 6), (5, 8), (8, 5)])
def test_singular(monkeypatch, shape, way):
    """A row or column that is twice another: the smallest of the nearest, by any way."""
    ways(monkeypatch, way)
    w = RNG.standard_normal(shape)
    w[1], w[:, 2] = 2 * w[0], 0
    y = w @ RNG.standard_normal((shape[1], 1))
    solver = LeastSquares(w)
    x = solver.solve(y)
    assert x == pytest.approx(np.linalg.lstsq(w, y, rcond=1e-10)[0], abs=1e-6) and w @ x == pytest.approx(y, abs=1e-7)
    if way == "LU":
        assert solver.how.startswith("CGLS")


def test_refinement_makes_up_for_the_gram_matrix(monkeypatch):
    ways(monkeypatch, "Gram")
    left, right = (np.linalg.qr(RNG.standard_normal((30, 30)))[0] for _ in range(2))
    w = (left * np.logspace(0, -5, 30)) @ right[:30]
    y = RNG.standard_normal((30, 1))
    good = LeastSquares(w).solve(y)
    assert np.abs(w @ good - y).max() < 1e-8
    monkeypatch.setattr(linear, "REFINEMENTS", 0)
    assert np.abs(w @ LeastSquares(w).solve(y) - y).max() > 10 * np.abs(w @ good - y).max()


def test_within_limits():
    w, truth = RNG.standard_normal((6, 40)), RNG.uniform(0.1, 0.9, (40, 2))
    y = w @ truth
    solver = LeastSquares(w)
    inside = solver.within(y, 0.0, 1.0)
    assert inside.min() >= 0 and inside.max() <= 1 and w @ inside == pytest.approx(y, abs=1e-10)
    above = solver.within(w @ np.abs(RNG.standard_normal((40, 2))), 0.0, np.inf)
    assert above.min() >= -1e-9
    assert solver.solve(y).min() < 0  # the smallest one is not within
    far = solver.within(y * 1000, 0.0, 1.0)  # there is none
    assert w @ far == pytest.approx(y * 1000, abs=1e-7)


def test_limits_of_each_value():
    w = RNG.standard_normal((3, 12))
    low = RNG.uniform(-2, -1, (12, 1))
    x = LeastSquares(w).within(w @ (low + 0.5), low, low + 1)
    assert (x >= low).all() and (x <= low + 1).all()


def test_cgls_is_nearest_to_its_start():
    w, start = RNG.standard_normal((5, 12)), RNG.standard_normal((12, 1))
    y = RNG.standard_normal((5, 1))
    x, steps = cgls(lambda v: w @ v, lambda v: w.T @ v, y, start)
    assert x == pytest.approx(start + np.linalg.pinv(w) @ (y - w @ start), abs=1e-9) and 5 <= steps <= 8
    assert cgls(lambda v: w @ v, lambda v: w.T @ v, w @ start, start)[1] == 0
