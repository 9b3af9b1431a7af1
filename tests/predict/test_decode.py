"""Which classes count."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.errors import DataError, NetdefError
from netdef.predict.decode import Decode

SCORES = np.array([0.1, 0.55, 0.25, 0.1], np.float32)


@pytest.mark.parametrize("rule, classes", [
    ("top=2", [1, 2]), ("top=9", [1, 2, 0, 3]), ("threshold=0.2", [1, 2]), ("threshold=0.1", [1, 2, 0, 3]),
    ("threshold=2", []), ("cumulative=0.5", [1]), ("cumulative=0.55", [1]), ("cumulative=0.56", [1, 2]),
    ("cumulative=0.8", [1, 2]), ("cumulative=0.81", [1, 2, 0]), ("cumulative=1", [1, 2, 0, 3]),
    ("cumulative=0.95, top=1", [1]), ("threshold=0.2,cumulative=1", [1, 2]),
])
def test_rules(rule, classes):
    assert Decode.parse(rule)(SCORES) == classes


def test_no_rule_takes_all():
    assert Decode()(SCORES) == [1, 2, 0, 3]


@pytest.mark.parametrize("scores", [np.array([3.0, 1.0]), np.array([1.5, -0.5]), np.array([np.nan, 1.0])])
def test_cumulative_wants_probabilities(scores):
    with pytest.raises(DataError, match="expected probabilities that sum to 1"):
        Decode(cumulative=0.9)(scores)


@pytest.mark.parametrize("text, error", [
    ("cumlative=0.9", "did you mean 'cumulative'"), ("top", "top: expected a whole number from 1 up, got ''"),
    ("top=0", "from 1 up"), ("top=1.5", "from 1 up"), ("top=1e99", "from 1 up"), ("cumulative=95", "above 0, at most 1"),
    ("threshold=x", "expected a number, got 'x'"), ("", "expected top=..., threshold=..., cumulative=..."),
])
def test_bad_rules(text, error):
    with pytest.raises(NetdefError, match=error):
        Decode.parse(text)
