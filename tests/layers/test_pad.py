"""Pad: image axes, single sides, channels, and the errors."""
import numpy as np
import pytest

from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer

NONE = (0, 0)


@pytest.mark.parametrize(("options", "shape", "widths"), [
    ("pad: 1", (2, 3, 4, 5), (NONE, NONE, (1, 1), (1, 1))),
    ("pad: 1 pad: 2", (2, 3, 4, 5), (NONE, NONE, (1, 1), (2, 2))),
    ("pad_h: 2", (2, 3, 4, 5), (NONE, NONE, (2, 2), NONE)),
    ("pad_h: 1 pad_w: 3", (2, 3, 2, 2), (NONE, NONE, (1, 1), (3, 3))),
    ("pad: 1 pad_top: 0 pad_right: 2", (2, 3, 4, 5), (NONE, NONE, (0, 1), (1, 2))),
    ("pad_bottom: 1 pad_left: 2", (2, 3, 4, 5), (NONE, NONE, (0, 1), (2, 0))),
    ("channels_front: 1 channels_back: 2", (2, 3, 4), (NONE, (1, 2), NONE)),
    ("channels_back: 2", (2, 3), (NONE, (0, 2))),
    ("pad: 1 channels_front: 2", (2, 1, 3, 2, 2), (NONE, (2, 0), (1, 1), (1, 1), (1, 1))),
    ("", (2, 3, 4, 5), (NONE,) * 4),
])
@pytest.mark.parametrize("value", [0, -1.5])
def test_battery(options, shape, widths, value):
    report = check_layer(f'type: "Pad" pad_param {{ {options} value: {value} }}', [shape],
                         lambda x: np.pad(x, widths, constant_values=value))
    assert {"gradients", "backward_reads"} <= set(report.passed)


@pytest.mark.parametrize(("options", "shape", "error", "message"), [
    ("pad: 1 pad_h: 1", (2, 3, 4, 5), FieldError, "pad_h: expected either pad or pad_h and pad_w, got pad and pad_h"),
    ("pad: 1 pad: 1", (2, 3, 4), FieldError, r"pad: expected 1 value, or one an image axis \(1\), got 2"),
    ("pad_left: 1", (2, 3, 4), FieldError, "pad_left: works with two image axes only, got 1"),
    ("pad: 1", (4,), ShapeError, r"expected at least 2 axes \(N, C, image...\), got the shape \(4,\)"),
])
def test_errors(options, shape, error, message):
    with pytest.raises(error, match=message):
        check_layer(f'type: "Pad" pad_param {{ {options} }}', [shape])
