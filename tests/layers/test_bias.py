"""Bias: its axes, its two forms, and the errors."""
import pytest

from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer

CASES = [
    ("", (2, 3, 4, 5), (3,), 1),
    ("", (2, 3), (3,), 1),
    ("axis: 0", (2, 3, 4), (2,), 0),
    ("axis: -1", (2, 3, 4), (4,), 2),
    ("axis: 1 num_axes: 2", (2, 3, 4, 2), (3, 4), 1),
    ("axis: 1 num_axes: -1", (2, 3, 4), (3, 4), 1),
    ("axis: 0 num_axes: -1", (2, 3), (2, 3), 0),
    ("num_axes: 0", (2, 3, 4), (), 1),
]


def spread(b, ndim, axis):
    """b with axes of size 1 around it, for NumPy's broadcasting."""
    return b.reshape(*(1,) * axis, *b.shape, *(1,) * (ndim - axis - b.ndim)) if b.ndim else b


@pytest.mark.parametrize(("options", "shape", "over", "axis"), CASES)
def test_learned(options, shape, over, axis):
    batch = axis > 0 and options != "num_axes: 0"
    report = check_layer(f'type: "Bias" bias_param {{ {options} }}', [shape], lambda x, b: x + spread(b, x.ndim, axis),
                         batch=batch)
    assert {"gradients", "in place", "backward_reads"} <= set(report.passed)


@pytest.mark.parametrize(("options", "shape", "over", "axis"), CASES)
def test_from_a_second_bottom(options, shape, over, axis):
    report = check_layer(f'type: "Bias" bias_param {{ {options} }}', [shape, over],
                         lambda x, b: x + spread(b, x.ndim, axis), batch=(0,) if axis else False)
    assert {"gradients", "in place", "need"} <= set(report.passed)


@pytest.mark.parametrize(("options", "bottoms", "error", "message"), [
    ("axis: 2", [(2, 3)], ShapeError, "axis 2 does not exist in a bottom of 2 axes"),
    ("num_axes: 2", [(2, 3)], ShapeError, "at most 1 axes from axis 1 on, got num_axes 2"),
    ("num_axes: -2", [(2, 3)], FieldError, r"num_axes: expected a number of at least -1 \(all the rest\), got -2"),
    ("", [(2, 3), (2,)], ShapeError, r"'b1' to have the sizes of 'b0' \(shape \(2, 3\)\) from axis 1 on, got the shape"),
    ("", [(2, 3), (3, 1)], ShapeError, r"got the shape \(3, 1\)"),
])
def test_shapes_that_do_not_fit(options, bottoms, error, message):
    with pytest.raises(error, match=message):
        check_layer(f'type: "Bias" bias_param {{ {options} }}', bottoms)
