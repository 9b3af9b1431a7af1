"""Flatten: every range of axes, and the errors."""
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer

SHAPE = (2, 3, 4, 5)


@pytest.mark.parametrize(("options", "shape"), [
    ("", (2, 60)),
    ("flatten_param { axis: 0 }", (120,)),
    ("flatten_param { axis: 2 }", (2, 3, 20)),
    ("flatten_param { axis: 1 end_axis: 2 }", (2, 12, 5)),
    ("flatten_param { axis: 0 end_axis: -2 }", (24, 5)),
    ("flatten_param { axis: -3 end_axis: -2 }", (2, 12, 5)),
    ("flatten_param { axis: 2 end_axis: 1 }", (2, 3, 1, 4, 5)),
    ("flatten_param { axis: 3 end_axis: 3 }", SHAPE),
])
def test_battery(options, shape):
    def reference(x):
        sizes = list(shape)
        if x.shape[0] != 2:  # another batch
            sizes[0] = sizes[0] // 2 * x.shape[0]
        return x.reshape(sizes)

    report = check_layer(f'type: "Flatten" {options}', [SHAPE], reference)
    assert "gradients" in report.passed


@pytest.mark.parametrize(("options", "message"), [
    ("axis: 4", "axis 4 does not exist in a bottom of 4 axes"),
    ("end_axis: -5", "end_axis -5 does not exist"),
    ("axis: 3 end_axis: 1", "expected end_axis not before axis, got 3 to 1"),
])
def test_bad_axes(options, message):
    with pytest.raises(ShapeError, match=message):
        check_layer(f'type: "Flatten" flatten_param {{ {options} }}', [SHAPE])
