"""Exp with several bases, factors and shifts."""
import numpy as np
import pytest

from netdef.errors import FieldError
from netdef.testing import check_layer


@pytest.mark.parametrize(("options", "base", "scale", "shift"), [
    ("", np.e, 1, 0),
    ("base: 2", 2, 1, 0),
    ("base: 2 scale: 3", 2, 3, 0),
    ("base: 0.5 scale: -1.5 shift: 0.75", 0.5, -1.5, 0.75),
    ("scale: 0.5 shift: -1", np.e, 0.5, -1),
    ("base: 1 shift: 4", 1, 1, 4),
    ("scale: 0 shift: 1", np.e, 0, 1),
])
def test_battery(options, base, scale, shift):
    report = check_layer(f'type: "Exp" exp_param {{ {options} }}', [(2, 3, 4)], lambda x: base ** (shift + scale * x))
    assert {"gradients", "in place", "backward_reads"} <= set(report.passed)


def test_overflow_is_infinity():
    check_layer('type: "Exp"', [np.array([[1000.0, -1000, 0]])], lambda x: np.array([[np.inf, 0, 1]] * len(x)),
                skip=["gradients", "float32", "batches", "need", "backward_reads", "in place"])


@pytest.mark.parametrize("base", ["0", "-2", "inf", "nan"])
def test_bad_base(base):
    with pytest.raises(FieldError, match="base: expected a finite number above 0, or -1 for e, got"):
        check_layer(f'type: "Exp" exp_param {{ base: {base} }}', [(2, 3)])
