"""Clip: the range, its ends, NaN, and its errors."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ConfigError, GraphError
from netdef.testing import Kink, check_layer


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,)])
def test_battery(shape):
    report = check_layer('type: "Clip" clip_param { min: -0.75 max: 0.75 }', [shape],
                         lambda x: np.minimum(np.maximum(x, -0.75), 0.75), kink=Kink(0.75))
    assert {"gradients", "in place", "constraints"} <= set(report.passed)


def net_text(top, options="min: -1 max: 1"):
    return parse_text_message(f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 6 }} }} }}
        layer {{ name: "clip" type: "Clip" bottom: "x" top: "{top}" clip_param {{ {options} }} }}''', "net.prototxt",
                              "NetParameter")


def test_the_gradient_passes_at_both_ends_and_nan_stays():
    net = netdef.Net(net_text("y"))
    net.forward(x=[-1.5, -1, 0.5, 1, 1.5, np.nan])
    net.backward(y=[np.inf, 2, 3, 4, np.inf, 6])
    assert np.array_equal(net.blobs["y"].data, [-1, -1, 0.5, 1, 1, np.nan], equal_nan=True)
    assert net.blobs["x"].diff.tolist() == [0, 2, 3, 4, 0, 0]


def test_in_place_only_without_learning():
    """In place, a value cut off looks like one at the border, through which the gradient passes (Caffe lets it)."""
    with pytest.raises(GraphError, match="Clip cannot work in place on 'x' in a net that learns"):
        netdef.Net(net_text("x"))


@pytest.mark.parametrize(("options", "message"), [
    ("min: 1 max: 0.5", "max: expected at least min 1, got 0.5"),
    ("min: 1", "max"),
    ("max: 1", "min"),
])
def test_bad_ranges(options, message):
    with pytest.raises(ConfigError, match=message):
        netdef.Net(net_text("y", options))


def test_no_options_at_all():
    with pytest.raises(ConfigError, match="min: missing; expected a number"):
        check_layer('type: "Clip"', [(2, 3)])
