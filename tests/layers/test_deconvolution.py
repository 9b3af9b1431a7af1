"""Deconvolution against naive loops over every number of axes, Caffe's trap 8, and the battery."""
import itertools

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


def naive(x, w, b=None, *, axis=1, stride=1, pad=0, dilation=1, group=1):
    """Every value lays the window, times itself, on the output; options are one number or one an axis."""
    axes = x.ndim - axis - 1
    stride, pad, dilation = ((n,) * axes if isinstance(n, int) else n for n in (stride, pad, dilation))
    images, kernel = x.reshape(-1, *x.shape[axis:]), w.shape[2:]
    whole = [stride[a] * (images.shape[2 + a] - 1) + dilation[a] * (kernel[a] - 1) + 1 for a in range(axes)]
    filters, share = w.shape[1] * group, x.shape[axis] // group
    y = np.zeros((len(images), filters, *whole))
    for n, c in itertools.product(range(len(images)), range(x.shape[axis])):
        first = c // share * w.shape[1]
        for i in itertools.product(*map(range, images.shape[2:])):
            start = [i[a] * stride[a] for a in range(axes)]
            reach = [slice(s, s + d * (k - 1) + 1, d) for s, d, k in zip(start, dilation, kernel, strict=True)]
            y[(n, slice(first, first + w.shape[1]), *reach)] += images[(n, c, *i)] * w[c]
    y = y[(slice(None), slice(None), *(slice(p, size - p) for p, size in zip(pad, whole, strict=True)))]
    if b is not None:
        y = y + b.reshape(1, -1, *(1,) * axes)
    return y.reshape(*x.shape[:axis], *y.shape[1:])


def config(options):
    return f'type: "Deconvolution" convolution_param {{ {options} }}'


CASES = {
    "plain": ("num_output: 2 kernel_size: 3", (2, 2, 3, 2), {}),
    "stride and pad": ("num_output: 2 kernel_size: 4 stride: 2 pad: 1", (2, 2, 3, 2), {"stride": 2, "pad": 1}),
    "pointwise": ("num_output: 3 kernel_size: 1", (2, 4, 3, 2), {}),
    "dilated": ("num_output: 2 kernel_size: 2 dilation: 2", (1, 2, 3, 3), {"dilation": 2}),
    "grouped": ("num_output: 6 kernel_size: 2 group: 2", (2, 4, 2, 2), {"group": 2}),
    "by channel": ("num_output: 3 kernel_size: 4 stride: 2 pad: 1 group: 3", (1, 3, 2, 3),
                   {"group": 3, "stride": 2, "pad": 1}),
    "h and w": ("num_output: 2 kernel_h: 1 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 1", (1, 2, 2, 3),
                {"stride": (2, 1), "pad": (0, 1)}),
    "no bias": ("num_output: 2 kernel_size: 2 bias_term: false", (2, 2, 2, 2), {}),
    "1-D": ("num_output: 2 kernel_size: 3 pad: 1 stride: 2", (2, 2, 4), {"pad": 1, "stride": 2}),
    "3-D": ("num_output: 2 kernel_size: 2 pad: 0 pad: 1 pad: 0", (1, 2, 2, 3, 2), {"pad": (0, 1, 0)}),
    "0-D": ("num_output: 3", (4, 2), {}),
    "axis 2": ("num_output: 2 kernel_size: 2 axis: 2", (2, 2, 2, 2, 2), {"axis": 2}),
}


@pytest.mark.parametrize("name", CASES)
def test_battery(name):
    options, shape, kwargs = CASES[name]
    report = check_layer(config(options), [shape], lambda x, w, b=None: naive(x, w, b, **kwargs))
    assert {"gradients", "constraints", "other shape"} <= set(report.passed)


def test_several_bottoms_share_the_weights():
    report = check_layer(config("num_output: 2 kernel_size: 2"), [(2, 2, 2, 3)] * 2,
                         lambda a, b, w, bias: (naive(a, w, bias), naive(b, w, bias)))
    assert len(report.gradients) == 2 * 4


def build(options, shape):
    dims = " ".join(f"dim: {n}" for n in shape)
    text = f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
layer {{ name: "up" bottom: "x" top: "y" {config(options)} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


def test_trap_08_weights_are_channels_first_and_the_output_grows():
    net = build("num_output: 6 group: 2 kernel_size: 3 dilation: 2 stride: 2 pad: 1", (1, 4, 2, 2))
    assert net.params["up"][0].shape == (4, 3, 3, 3)
    assert net.blobs["y"].shape == (1, 6, 5, 5)


def test_trap_08_overlaps_add_up():
    """Caffe's own figures: ones everywhere, three channels, bias 0.1."""
    net = build("num_output: 4 kernel_size: 3 stride: 2 weight_filler { type: 'constant' value: 1 } "
                "bias_filler { type: 'constant' value: 0.1 }", (2, 3, 6, 4))
    y = net.forward(x=np.ones((2, 3, 6, 4)))["y"]
    assert y.shape == (2, 4, 13, 9)
    inside = np.zeros(13, bool)
    inside[2:-2:2] = True
    rows, columns = inside[:, None], inside[None, :9] & (np.arange(9) < 7)
    np.testing.assert_allclose(y[0, 0], np.where(rows & columns, 12.1, np.where(rows | columns, 6.1, 3.1)), rtol=1e-6)


def test_it_is_the_backward_pass_of_a_convolution():
    up = build("num_output: 2 kernel_size: 3 stride: 2 pad: 1 bias_term: false", (1, 3, 4, 4))
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(3, 2, 3, 3)), rng.normal(size=(1, 3, 4, 4))
    up.params["up"][0].data[...] = w
    text = """force_backward: true
        layer { name: "in" type: "Input" top: "y" input_param { shape { dim: 1 dim: 2 dim: 7 dim: 7 } } }
        layer { name: "conv" type: "Convolution" bottom: "y" top: "x" convolution_param {
                num_output: 3 kernel_size: 3 stride: 2 pad: 1 bias_term: false } }"""
    down = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))
    down.params["conv"][0].data[...] = w
    down.forward()
    down.backward(x=x)
    np.testing.assert_allclose(up.forward(x=x)["y"], down.blobs["y"].diff, atol=1e-5)


def test_bilinear_by_channel_interpolates():
    net = build("num_output: 2 group: 2 kernel_size: 4 stride: 2 pad: 1 bias_term: false "
                "weight_filler { type: 'bilinear' }", (1, 2, 4, 4))
    ramp = np.broadcast_to(np.arange(4.0), (1, 2, 4, 4))
    y = net.forward(x=ramp)["y"]
    np.testing.assert_allclose(y[0, 1, 3, 1:-1], np.arange(0.25, 3, 0.5))


@pytest.mark.parametrize("options, error, message", [
    ("num_output: 3 kernel_size: 3 group: 2", FieldError, "group: expected a divisor of num_output 3, got 2"),
    ("num_output: 6 kernel_size: 3 group: 3", ShapeError, "expected a number of channels that group 3 divides, got 4"),
    ("num_output: 2 kernel_size: 1 pad: 2", ShapeError,
     "the image 3x3 would become -1x-1: pad 2x2 cuts all of it away"),
    ("num_output: 2", FieldError, "kernel_size: missing"),
    ("kernel_size: 2", FieldError, "num_output: missing"),
])
def test_errors(options, error, message):
    with pytest.raises(error, match=r"net.prototxt:2:\d+: error: layer 'up' \(Deconvolution\): " + message):
        build(options, (1, 4, 3, 3))


def test_macs():
    assert build("num_output: 4 kernel_size: 3 group: 2", (2, 6, 5, 5)).plan.steps[1].inferred.macs == 2 * 150 * 18
