"""Flip against indices turned round, and the battery."""
import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer


@pytest.mark.parametrize("width", [True, False])
@pytest.mark.parametrize("height", [True, False])
def test_battery(width, height):
    def reference(x):
        out = np.empty_like(x)
        for h in range(3):
            for w in range(4):
                out[:, :, h, w] = x[:, :, 2 - h if height else h, 3 - w if width else w]
        return out
    report = check_layer(f'type: "Flip" flip_param {{ flip_width: {str(width).lower()} flip_height: {str(height).lower()} }}',
                         [(2, 2, 3, 4)], reference)
    assert {"values", "gradients", "batches"} <= set(report.passed)


def test_the_default_is_left_to_right():
    check_layer('type: "Flip"', [(1, 1, 2, 3)], lambda x: x[..., ::-1])


def test_refused():
    with pytest.raises(ShapeError, match=r"expected a bottom of 4 axes \(N, C, H, W\), got \(2, 3\)"):
        check_layer('type: "Flip"', [(2, 3)])
