"""Slice: even parts and given points, its two spellings, and the errors."""
import numpy as np
import pytest

from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


@pytest.mark.parametrize(("options", "shape", "axis", "points"), [
    ("", (2, 6, 4), 1, [2, 4]),
    ("", (2, 3), 1, []),
    ("axis: 0", (6, 2), 0, [3]),
    ("axis: -1 slice_point: 1 slice_point: 4", (2, 3, 5), 2, [1, 4]),
    ("slice_point: 2", (2, 5, 3), 1, [2]),
    ("slice_dim: 2", (2, 3, 4), 2, [2]),
])
def test_battery(options, shape, axis, points):
    """Trap 28 of Slice: points are where tops begin, not how large they are."""
    report = check_layer(f'type: "Slice" slice_param {{ {options} }}', [shape],
                         lambda x: np.split(x, [p * len(x) // shape[0] for p in points] if axis == 0 else points, axis),
                         tops=len(points) + 1, batch=axis != 0)
    assert {"gradients", "backward_reads"} <= set(report.passed)


def test_trap_28_points_are_positions():
    report = check_layer('type: "Slice" slice_param { slice_point: 2 slice_point: 3 }', [np.arange(10.0).reshape(1, 10)],
                         lambda x: [x[:, :2], x[:, 2:3], x[:, 3:]], tops=3)
    assert "values" in report.passed


@pytest.mark.parametrize(("options", "tops", "error", "message"), [
    ("axis: 1 slice_dim: 1", 2, FieldError, "slice_dim: expected either axis or slice_dim, got both"),
    ("slice_point: 1", 3, FieldError, r"slice_point: expected one less than there are tops \(2\), got 1"),
    ("slice_point: 3 slice_point: 2", 3, FieldError, "expected numbers above 0 in rising order, got 3, 2"),
    ("slice_point: 0", 2, FieldError, "expected numbers above 0 in rising order, got 0"),
    ("slice_point: 5", 2, ShapeError, "expected slice_point below the size 5 of the axis, got 5"),
    ("", 2, ShapeError, "expected a size that 2 tops divide evenly, got 5"),
    ("axis: 2", 2, ShapeError, "axis 2 does not exist in a bottom of 2 axes"),
    ("slice_dim: 2", 2, ShapeError, "slice_dim 2 does not exist in a bottom of 2 axes"),
])
def test_errors(options, tops, error, message):
    with pytest.raises(error, match=message):
        check_layer(f'type: "Slice" slice_param {{ {options} }}', [(2, 5)], tops=tops)
