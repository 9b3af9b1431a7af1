"""FlowWarp against a loop over pixels."""
import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer


def naive(x, flow, fill=0.0):
    y = np.full(x.shape, fill)
    height, width = x.shape[2:]
    for n, i, j in np.ndindex(len(x), height, width):
        column, row = j + flow[n, 0, i, j], i + flow[n, 1, i, j]
        if 0 <= column < width and 0 <= row < height:
            left, top = int(column), int(row)
            right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
            a, b = column - left, row - top
            y[n, :, i, j] = ((1 - a) * (1 - b) * x[n, :, top, left] + a * (1 - b) * x[n, :, top, right]
                             + (1 - a) * b * x[n, :, bottom, left] + a * b * x[n, :, bottom, right])
    return y


@pytest.mark.parametrize("options, fill", [("", 0.0), ("fill_value: ZERO", 0.0)])
def test_battery(options, fill):
    report = check_layer(f'type: "FlowWarp" flow_warp_param {{ {options} }}', [(2, 3, 4, 5), (2, 2, 4, 5)],
                         lambda x, flow: naive(x, flow, fill), low=-3, high=3)
    assert {"values", "other shape", "float32"} <= set(report.passed)


def test_outside_can_be_no_number():
    x, flow = np.ones((1, 1, 2, 2)), np.zeros((1, 2, 2, 2))
    flow[0, 0, 0, 1] = 5
    flow[0, 1, 1, 0] = np.nan
    from netdef.config.load import parse_text_message
    from netdef.runtime.net import Net
    net = Net(parse_text_message('''layer { name: "in" type: "Input" top: "x" top: "f" input_param {
        shape { dim: 1 dim: 1 dim: 2 dim: 2 } shape { dim: 1 dim: 2 dim: 2 dim: 2 } } }
        layer { name: "w" type: "FlowWarp" bottom: "x" bottom: "f" top: "y" flow_warp_param { fill_value: NOT_A_NUMBER } }''',
                                 "net.prototxt", "NetParameter"))
    np.testing.assert_array_equal(net.forward(x=x, f=flow)["y"], [[[[1, np.nan], [np.nan, 1]]]])


def test_refused():
    with pytest.raises(ShapeError, match=r"expected a flow of shape \(1, 2, 4, 5\), got \(1, 3, 4, 5\)"):
        check_layer('type: "FlowWarp"', [(1, 3, 4, 5), (1, 3, 4, 5)])
