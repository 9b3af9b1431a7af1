"""Silence: no tops, no outputs, a gradient of 0."""
import numpy as np

import netdef
from netdef.config.load import parse_text_message

NET = '''
force_backward: true
layer { name: "in" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 } } }
layer { name: "quiet" type: "Silence" bottom: "a" bottom: "b" }
'''


def make(text=NET, **kwargs):
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), **kwargs)


def test_its_bottoms_are_no_outputs():
    assert make().outputs == []
    assert make(NET.replace('bottom: "b"', "")).outputs == ["b"]


def test_the_gradient_is_zero_even_of_nan():
    for dtype in ("float32", "float64"):
        net = make(dtype=dtype)
        net.forward(a=[np.nan, 1], b=[1, 2])
        for name in "ab":
            net.blobs[name].diff[...] = np.nan
        net.backward()
        assert not net.blobs["a"].diff.any() and not net.blobs["b"].diff.any()


def test_only_what_is_needed_is_written():
    net = make(NET.replace("force_backward: true", ""))
    net.forward()
    net.blobs["a"].diff[...] = 7
    net.backward()
    assert (net.blobs["a"].diff == 7).all()
