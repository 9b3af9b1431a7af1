"""Crop: offsets, axes, and the errors."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer


@pytest.mark.parametrize(("options", "shape", "size", "window"), [
    ("", (2, 3, 6, 5), (2, 1, 4, 5), np.s_[:, :, :4, :5]),
    ("offset: 1", (2, 3, 6, 5), (9, 7, 4, 3), np.s_[:, :, 1:5, 1:4]),
    ("offset: 2 offset: 0", (2, 3, 6, 5), (1, 1, 4, 3), np.s_[:, :, 2:6, :3]),
    ("axis: 1 offset: 1", (2, 4, 3), (2, 3, 2), np.s_[:, 1:4, 1:3]),
    ("axis: -1 offset: 2", (2, 4, 5), (1, 1, 3), np.s_[:, :, 2:]),
    ("axis: 0", (4, 3), (2, 2), np.s_[:2, :2]),
])
def test_trap_28_battery(options, shape, size, window):
    """Trap 28: one offset serves all axes, and without one the cut begins in the corner."""
    report = check_layer(f'type: "Crop" crop_param {{ {options} }}', [shape, size], lambda x, s: x[window],
                         batch=() if "axis: 0" in options else (0,))
    assert {"gradients", "backward_reads"} <= set(report.passed)


def test_outside_the_cut_the_gradient_is_zero():
    net = netdef.Net(parse_text_message('''force_backward: true
        layer { name: "in" type: "Input" top: "x" top: "s" input_param { shape { dim: 4 } shape { dim: 2 } } }
        layer { name: "c" type: "Crop" bottom: "x" bottom: "s" top: "y" crop_param { axis: 0 offset: 1 } }''',
                                        "net.prototxt", "NetParameter"))
    assert net.forward(x=[1, 2, 3, 4], s=[0, 0])["y"].tolist() == [2, 3]
    net.backward(y=[5, 6])
    assert net.blobs["x"].diff.tolist() == [0, 5, 6, 0]


@pytest.mark.parametrize(("options", "bottoms", "message"), [
    ("", [(2, 3, 4, 4), (2, 3, 5, 4)], "axis 2: offset 0 and size 5 pass the end, 4"),
    ("offset: 1 offset: 2", [(2, 3, 4, 4), (2, 3, 3, 3)], "axis 3: offset 2 and size 3 pass the end, 4"),
    ("offset: 1 offset: 2 offset: 3", [(2, 3, 4, 4), (2, 3, 1, 1)], r"1 offset or one an axis cut \(2\), got 3"),
    ("", [(2, 3, 4, 4), (4, 4)], "two bottoms with as many axes"),
    ("", [(2, 3), (2, 3)], "axis 2 does not exist in a bottom of 2 axes"),
])
def test_errors(options, bottoms, message):
    with pytest.raises(ShapeError, match=message):
        check_layer(f'type: "Crop" crop_param {{ {options} }}', bottoms)
