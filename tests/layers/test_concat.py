"""Concat along each axis, its two spellings, and the errors."""
import numpy as np
import pytest

from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


@pytest.mark.parametrize(("options", "shapes", "axis"), [
    ("", [(2, 3, 4), (2, 1, 4), (2, 2, 4)], 1),
    ("concat_param { axis: 0 }", [(2, 3), (1, 3)], 0),
    ("concat_param { axis: -1 }", [(2, 3, 1), (2, 3, 4)], 2),
    ("concat_param { concat_dim: 2 }", [(2, 3, 1), (2, 3, 4)], 2),
    ("", [(2, 3)], 1),
    ("", [(2, 0, 2), (2, 3, 2)], 1),
])
def test_battery(options, shapes, axis):
    report = check_layer(f'type: "Concat" {options}', shapes, lambda *x: np.concatenate(x, axis))
    assert "gradients" in report.passed


def test_both_spellings():
    with pytest.raises(FieldError, match="concat_dim: expected either axis or concat_dim, got both"):
        check_layer('type: "Concat" concat_param { axis: 1 concat_dim: 1 }', [(2, 3)])


@pytest.mark.parametrize(("shapes", "message"), [
    ([(2, 3, 4), (2, 3, 5)], r"differ in axis 1 only, got 'b0' of shape \(2, 3, 4\) and 'b1' of shape \(2, 3, 5\)"),
    ([(2, 3), (2, 3), (2, 3, 1)], r"'b2' of shape \(2, 3, 1\)"),
    ([(2,), (2,)], "axis 1 does not exist in a bottom of 1 axes"),
])
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(ShapeError, match=message):
        check_layer('type: "Concat"', shapes)
