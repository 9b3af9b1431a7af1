"""Statistics of tensors."""
from __future__ import annotations

import math

import numpy as np
import pytest

from netdef.runtime.watch import (
    dead_share,
    first_non_finite,
    items_alike,
    rms,
    saturated_share,
    statistics,
)


def test_statistics():
    s = statistics(np.array([[3.0, -4.0], [0.0, 0.0]], "float32"))
    assert (s.count, s.mean_abs, s.max_abs, s.l2, s.zeros, s.non_finite) == (4, 1.75, 4, 5, 0.5, 0)


def test_only_finite_values_count():
    s = statistics(np.array([1.0, math.nan, math.inf, -1.0]))
    assert (s.mean_abs, s.max_abs, s.non_finite) == (1, 1, 0.5)
    assert math.isnan(statistics(np.array([math.nan])).mean_abs)


@pytest.mark.parametrize("size", [1e-200, 1e200, 1e30])
def test_norm_neither_overflows_nor_vanishes(size):
    assert statistics(np.full(4, size)).l2 == pytest.approx(2 * size)


def test_empty():
    assert statistics(np.zeros((0, 3))).count == 0


def test_first_non_finite():
    a = np.zeros((2, 3))
    assert first_non_finite(a) is None
    a[1, 2] = math.nan
    assert first_non_finite(a) == (1, 2)


def test_rms():
    assert rms(np.array([[3.0, -4.0], [0.0, 0.0]], "float32")) == pytest.approx(2.5)
    assert rms(np.zeros((0, 2))) == 0
    assert math.isnan(rms(np.array([1.0, math.nan]))) and math.isinf(rms(np.array([1.0, math.inf])))
    assert rms(np.full(3, 1e30, "float32")) == pytest.approx(1e30)  # its squares are no float32


def test_items_alike():
    assert items_alike(np.ones((3, 2)))
    assert not items_alike(np.ones((1, 2))) and not items_alike(np.float32(1).reshape(()))
    differs = np.ones((4, 2))
    differs[2, 1] = 0  # between two that are equal
    assert not items_alike(differs)


def test_dead_share():
    y = np.zeros((2, 4, 3))
    y[1, 2, 0] = 0.5
    assert dead_share(y) == 0.75
    assert dead_share(np.zeros(3)) == 0 and dead_share(np.zeros((0, 3))) == 0


@pytest.mark.parametrize("low, high", [(0, 1), (-1, 1)])
def test_saturated_share(low, high):
    y = np.array([low, high, (low + high) / 2, low + 0.02 * (high - low)], "float32")
    assert saturated_share(y, low, high) == 0.5
    assert saturated_share(y[:0], low, high) == 0
