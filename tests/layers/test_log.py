"""Log with several bases, factors and shifts; its poles; in place without learning only."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, GraphError
from netdef.testing import check_layer


@pytest.mark.parametrize(("options", "base", "scale", "shift"), [
    ("", np.e, 1, 0),
    ("base: 2", 2, 1, 0),
    ("base: 10 scale: 3 shift: 0.5", 10, 3, 0.5),
    ("base: 0.5 scale: -1 shift: 4", 0.5, -1, 4),
])
def test_battery(options, base, scale, shift):
    report = check_layer(f'type: "Log" log_param {{ {options} }}', [(2, 3, 4)],
                         lambda x: np.log(shift + scale * x) / np.log(base), low=0.3, high=2.5)
    assert {"gradients", "in place"} <= set(report.passed)


def run(x, dy, top="y"):
    net = netdef.Net(parse_text_message(f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: {len(x)} }} }} }}
        layer {{ name: "log" type: "Log" bottom: "x" top: "{top}" }}''', "net.prototxt", "NetParameter"))
    net.forward(x=x)
    net.backward(y=dy)
    return net.blobs["y"].data, net.blobs["x"].diff


def test_at_and_below_zero():
    y, dx = run([0, -1, np.inf], [1, 1, 1])
    assert np.array_equal(y, [-np.inf, np.nan, np.inf], equal_nan=True)
    assert dx.tolist() == [np.inf, -1, 0]


def test_in_place_only_without_learning():
    """Caffe computes a wrong gradient here and says nothing."""
    with pytest.raises(GraphError, match="Log cannot work in place on 'x' in a net that learns"):
        run([1], [1], top="x")


@pytest.mark.parametrize(("base", "message"), [
    ("0", "base: expected a finite number above 0, or -1 for e, got 0"),
    ("1", "base: no number but 1 is a power of 1"),
])
def test_bad_base(base, message):
    with pytest.raises(FieldError, match=message):
        check_layer(f'type: "Log" log_param {{ base: {base} }}', [(2, 3)])
