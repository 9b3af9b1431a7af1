"""AbsVal: magnitudes, the gradient at 0, and no work in place."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import GraphError
from netdef.testing import check_layer


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,)])
def test_battery(shape):
    assert "gradients" in check_layer('type: "AbsVal"', [shape], np.abs, kink=0).passed


def test_the_gradient_at_zero_is_zero():
    net = netdef.Net(parse_text_message('''force_backward: true
        layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 } } }
        layer { name: "abs" type: "AbsVal" bottom: "x" top: "y" }''', "net.prototxt", "NetParameter"))
    net.forward(x=[-3, 0, 2, np.nan])
    net.backward(y=[5, 5, 5, 5])
    assert np.array_equal(net.blobs["y"].data, [3, 0, 2, np.nan], equal_nan=True)
    assert net.blobs["x"].diff[:3].tolist() == [-5, 0, 5]


def test_in_place_is_refused():
    text = '''layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 } } }
        layer { name: "abs" type: "AbsVal" bottom: "x" top: "x" }'''
    with pytest.raises(GraphError, match="AbsVal cannot work in place on 'x'"):
        netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))
