"""PReLU by channel and shared, in place, and its filler."""
import logging

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer


def prelu(x, slope):
    slope = slope.reshape(1, -1, *(1,) * (x.ndim - 2)) if slope.ndim else slope
    return np.where(x > 0, x, slope * x)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (2, 3, 2, 2, 2)])
@pytest.mark.parametrize("shared", ["false", "true"])
def test_battery(shape, shared):
    report = check_layer(f'type: "PReLU" prelu_param {{ channel_shared: {shared} }}', [shape], prelu, kink=0)
    assert {"gradients", "in place", "backward_reads"} <= set(report.passed)


def slopes(options, caplog):
    with caplog.at_level(logging.WARNING, "netdef"):
        net = netdef.Net(parse_text_message(f'''layer {{ name: "in" type: "Input" top: "x"
            input_param {{ shape {{ dim: 1 dim: 2 }} }} }}
            layer {{ name: "p" type: "PReLU" bottom: "x" top: "y" {options} }}''', "net.prototxt", "NetParameter"))
    return net.params["p"][0].data


def test_slopes_start_at_a_quarter(caplog):
    assert slopes("", caplog).tolist() == [0.25, 0.25]
    assert slopes("prelu_param { channel_shared: true }", caplog).tolist() == 0.25
    assert slopes("prelu_param { filler { value: 0.5 } }", caplog).tolist() == [0.5, 0.5]
    assert not caplog.text


def test_trap_7_an_explicit_empty_filler_is_zero(caplog):
    """Trap 7: not a quarter but 0, and said."""
    assert slopes("prelu_param { filler { } }", caplog).tolist() == [0, 0]
    assert "net.prototxt:3" in caplog.text
    assert "filler: a filler without a value is the constant 0: the slopes start at 0, and not at 0.25" in caplog.text


def test_needs_channels():
    with pytest.raises(ShapeError, match=r"expected at least 2 axes \(N, C, ...\), got the shape \(3,\)"):
        check_layer('type: "PReLU"', [(3,)])


def test_in_place_without_gradients_keeps_no_copy():
    net = netdef.Net(parse_text_message('''layer { name: "in" type: "Input" top: "x"
        input_param { shape { dim: 1 dim: 2 } } }
        layer { name: "p" type: "PReLU" bottom: "x" top: "x" param { lr_mult: 0 } }''', "net.prototxt", "NetParameter"))
    net.forward(x=[[-4, 4]])
    assert net.blobs["x"].data.tolist() == [[-1, 4]]
    assert not net.steps[-1].context.workspace["x"].any()
