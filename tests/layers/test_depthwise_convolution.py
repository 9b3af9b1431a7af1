"""DepthwiseConvolution under both names: equal to a grouped Convolution to the bit, and what is refused."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer

NAMES = ["DepthwiseConvolution", "ConvolutionDepthwise"]


def naive(x, w, b=None, stride=1, pad=1):
    x = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    times = len(w) // x.shape[1]
    height, width = ((n - 3) // stride + 1 for n in x.shape[2:])
    y = np.zeros((len(x), len(w), height, width))
    for f, i, j in np.ndindex(len(w), height, width):
        part = x[:, f // times, i * stride: i * stride + 3, j * stride: j * stride + 3]
        y[:, f, i, j] = (part * w[f, 0]).sum((1, 2)) + (0 if b is None else b[f])
    return y


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("outputs, stride", [(3, 1), (6, 2)])
def test_battery(name, outputs, stride):
    report = check_layer(f'type: "{name}" convolution_param {{ num_output: {outputs} kernel_size: 3 pad: 1 stride: {stride} }}',
                         [(2, 3, 5, 4)], lambda x, w, b: naive(x, w, b, stride))
    assert {"values", "gradients"} <= set(report.passed)


def net(kind, group=""):
    return netdef.Net(parse_text_message(f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 4 dim: 6 dim: 5 }} }} }}
        layer {{ name: "c" type: "{kind}" bottom: "x" top: "y" convolution_param {{ num_output: 8 kernel_size: 3 {group}
                weight_filler {{ type: "gaussian" }} bias_term: false }} }}''', "net.prototxt", "NetParameter"), phase="TRAIN",
                      seed=3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("group", ["", "group: 4"])
def test_equal_to_groups(name, group):
    results = []
    for made in (net(name, group), net("Convolution", "group: 4")):
        x = np.random.default_rng(0).normal(size=(2, 4, 6, 5))
        y = made.forward(x=x)["y"].copy()
        made.backward(y=np.cos(y))
        results.append([y, made.params["c"][0].data, made.params["c"][0].diff, made.blobs["x"].diff])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_in_a_frozen_net(name):
    """Scale and BatchNorm are multiplied into its weights there."""
    text = f'''layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 1 dim: 4 dim: 6 dim: 5 }} }} }}
        layer {{ name: "c" type: "{name}" bottom: "x" top: "c" convolution_param {{ num_output: 4 kernel_size: 3 bias_term: false
                weight_filler {{ type: "gaussian" }} }} }}
        layer {{ name: "s" type: "Scale" bottom: "c" top: "c" scale_param {{ filler {{ type: "gaussian" }} }} }}'''
    x = np.random.default_rng(0).normal(size=(1, 4, 6, 5))
    one, other = (netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), freeze=freeze, seed=1)
                  for freeze in (True, False))
    np.testing.assert_allclose(one.forward(x=x)["c"], other.forward(x=x)["c"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options, message", [
    ("num_output: 6", "layer 'c' .DepthwiseConvolution.: expected a num_output that is a multiple of the 4 channels, got 6"),
    ("num_output: 8 group: 2", "expected group 4, as many as channels, got 2")])
def test_refused(options, message):
    with pytest.raises(ShapeError, match=message):
        netdef.Net(parse_text_message(f'''
            layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 4 dim: 6 dim: 5 }} }} }}
            layer {{ name: "c" type: "DepthwiseConvolution" bottom: "x" top: "y" convolution_param {{ {options} kernel_size: 3 }}
            }}''', "net.prototxt", "NetParameter"))
