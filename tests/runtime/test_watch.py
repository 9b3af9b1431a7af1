"""Statistics of tensors."""
from __future__ import annotations

import math

import numpy as np
import pytest

from netdef.runtime.watch import first_non_finite, statistics


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
