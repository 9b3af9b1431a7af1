"""Caffe's rule for comparing shapes."""
from __future__ import annotations

import pytest

from netdef.weights import shapes_match


@pytest.mark.parametrize(
    "stored, wanted, legacy, fits",
    [
        ((2, 3), (2, 3), False, True), ((1, 1, 2, 3), (2, 3), False, False), ((1, 1, 2, 3), (2, 3), True, True),
        ((1, 1, 1, 5), (5,), True, True), ((5, 1, 1, 1), (5,), True, False), ((1, 1, 1, 1), (), True, True),
        ((2, 3, 4, 4), (2, 3, 4, 4), True, True), ((2, 3, 4, 4), (2, 3, 16), True, False),
        ((1, 2, 3, 4), (1, 1, 2, 3, 4), True, False), ((3, 2), (2, 3), False, False), ((), (), False, True),
    ],
)  # fmt: skip
def test_shapes_match(stored, wanted, legacy, fits):
    assert shapes_match(stored, wanted, legacy) is fits
