"""Convolution against naive loops over every number of axes, its options and errors, and the battery."""
import itertools

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ConfigError, FieldError, ShapeError
from netdef.testing import check_layer


def naive(x, w, b=None, *, axis=1, stride=1, pad=0, dilation=1, group=1):
    """Convolution by its definition, one product at a time; options are one number or one an axis."""
    axes = x.ndim - axis - 1
    stride, pad, dilation = ((n,) * axes if isinstance(n, int) else n for n in (stride, pad, dilation))
    images = x.reshape(-1, *x.shape[axis:])
    padded = np.pad(images, [(0, 0), (0, 0), *((p, p) for p in pad)])
    kernel = w.shape[2:]
    out = [(padded.shape[2 + a] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in range(axes)]
    y = np.zeros((len(images), w.shape[0], *out))
    share = x.shape[axis] // group
    for n, f in itertools.product(range(len(images)), range(w.shape[0])):
        first = f // (w.shape[0] // group) * share
        for o in itertools.product(*map(range, out)):
            start = [o[a] * stride[a] for a in range(axes)]
            reach = [slice(s, s + d * (k - 1) + 1, d) for s, d, k in zip(start, dilation, kernel, strict=True)]
            window = padded[(n, slice(first, first + share), *reach)]
            y[(n, f, *o)] = (window * w[f]).sum() + (0 if b is None else b[f])
    return y.reshape(*x.shape[:axis], *y.shape[1:])


def config(options):
    return f'type: "Convolution" convolution_param {{ {options} }}'


CASES = {
    "plain": ("num_output: 2 kernel_size: 3", (2, 2, 5, 4), {}),
    "stride and pad": ("num_output: 2 kernel_size: 3 stride: 2 pad: 1", (2, 2, 5, 4), {"stride": 2, "pad": 1}),
    "pointwise": ("num_output: 3 kernel_size: 1", (2, 4, 3, 2), {}),
    "dilated": ("num_output: 2 kernel_size: 2 dilation: 2", (1, 2, 5, 5), {"dilation": 2}),
    "grouped": ("num_output: 4 kernel_size: 2 group: 2", (2, 4, 3, 3), {"group": 2}),
    "depthwise": ("num_output: 6 kernel_size: 2 group: 3", (2, 3, 3, 3), {"group": 3}),
    "h and w": ("num_output: 2 kernel_h: 1 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 1", (1, 2, 4, 4),
                {"stride": (2, 1), "pad": (0, 1)}),
    "pad_h alone": ("num_output: 2 kernel_size: 3 pad_h: 1", (1, 2, 4, 4), {"pad": (1, 0)}),
    "one an axis": ("num_output: 2 kernel_size: 2 kernel_size: 3 dilation: 2 dilation: 1", (1, 2, 4, 4),
                    {"dilation": (2, 1)}),
    "no bias": ("num_output: 2 kernel_size: 2 bias_term: false", (2, 2, 3, 3), {}),
    "1-D": ("num_output: 2 kernel_size: 3 pad: 1 stride: 2", (2, 2, 6), {"pad": 1, "stride": 2}),
    "3-D": ("num_output: 2 kernel_size: 2 pad: 0 pad: 1 pad: 0", (1, 2, 3, 2, 3), {"pad": (0, 1, 0)}),
    "0-D": ("num_output: 3", (4, 2), {}),
    "axis 2": ("num_output: 2 kernel_size: 2 axis: 2", (2, 2, 2, 3, 3), {"axis": 2}),
    "negative axis": ("num_output: 2 kernel_size: 2 axis: -2", (2, 3, 4), {}),
    "the kernel is the image": ("num_output: 2 kernel_size: 3", (2, 2, 3, 3), {}),
    "pad over half": ("num_output: 1 kernel_size: 2 pad: 3", (1, 1, 2, 2), {"pad": 3}),
    "accepted without effect": ("num_output: 2 kernel_size: 2 force_nd_im2col: true engine: CUDNN", (1, 2, 3, 3), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_battery(name):
    options, shape, kwargs = CASES[name]
    report = check_layer(config(options), [shape], lambda x, w, b=None: naive(x, w, b, **kwargs))
    assert {"gradients", "constraints", "other shape"} <= set(report.passed)


def test_several_bottoms_share_the_weights():
    report = check_layer(config("num_output: 2 kernel_size: 2"), [(2, 2, 3, 3)] * 2,
                         lambda a, b, w, bias: (naive(a, w, bias), naive(b, w, bias)))
    assert len(report.gradients) == 2 * 4


def test_another_image_size_on_the_same_net():
    check_layer(config("num_output: 2 kernel_size: 3 pad: 1"), [(2, 2, 4, 4)], lambda x, w, b: naive(x, w, b, pad=1),
                other=[(1, 2, 7, 5)])


def build(options, shape, bottoms=1):
    dims = " ".join(f"dim: {n}" for n in shape)
    inputs = "\n".join(f'layer {{ name: "in{i}" type: "Input" top: "b{i}" input_param {{ shape {{ {dims} }} }} }}'
                       for i in range(bottoms))
    names = " ".join(f'bottom: "b{i}" top: "t{i}"' for i in range(bottoms))
    text = f'{inputs}\nlayer {{ name: "conv1" {names} {config(options)} }}'
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


WHO = r"net.prototxt:2:\d+: error: layer 'conv1' \(Convolution\): "


@pytest.mark.parametrize("options, message", [
    ("num_output: 2 kernel_h: 3", "kernel_h: expected kernel_h and kernel_w together, got no kernel_w; add kernel_w"),
    ("num_output: 2 kernel_w: 3", "kernel_w: expected kernel_h and kernel_w together, got no kernel_h"),
    ("num_output: 2 kernel_size: 3 stride_w: 3", "stride_w: expected stride_h and stride_w together, got no stride_h"),
    ("num_output: 2 kernel_size: 3 kernel_h: 3 kernel_w: 3",
     "kernel_h: expected either kernel_size or kernel_h and kernel_w, got kernel_size and kernel_h; remove one"),
    ("num_output: 2 kernel_size: 3 pad: 1 pad_w: 1", "pad_w: expected either pad or pad_h and pad_w"),
    ("num_output: 2", "kernel_size: missing; expected 1 or 2 values, or kernel_h and kernel_w"),
    ("num_output: 2 kernel_size: 3 kernel_size: 3 kernel_size: 3",
     r"kernel_size: expected 1 value, or one a spatial axis \(2\), got 3"),
    ("num_output: 3 kernel_size: 3 group: 2", "group: expected a divisor of num_output 3, got 2"),
    ("kernel_size: 3", "num_output: missing; expected a number of at least 1"),
])
def test_option_errors(options, message):
    with pytest.raises(FieldError, match=WHO + message):
        build(options, (1, 4, 8, 8))


@pytest.mark.parametrize("options, shape, message", [
    ("num_output: 2 kernel_size: 5", (1, 2, 4, 6), "the kernel 5x5 is larger than the image 4x6\n"),
    ("num_output: 2 kernel_size: 5 pad_w: 1", (1, 2, 6, 2),
     r"the kernel 5x5 is larger than the image 6x2 \(padded to 6x4\)"),
    ("num_output: 2 kernel_size: 3 dilation: 3", (1, 2, 6, 6),
     r"the kernel 3x3 \(dilated to 7x7\) is larger than the image 6x6"),
    ("num_output: 2 kernel_size: 1", (1, 0, 4, 4), "expected at least one channel, got none"),
    ("num_output: 2 kernel_size: 1 group: 2", (1, 3, 4, 4),
     "expected a number of channels that group 2 divides, got 3"),
    ("num_output: 2 kernel_size: 1 axis: 4", (1, 3, 4, 4), "axis 4 does not exist in a bottom of 4 axes"),
])
def test_shape_errors_name_both_sides(options, shape, message):
    with pytest.raises(ShapeError, match=WHO + message) as caught:
        build(options, shape)
    assert f"bottom 0 'b0' has shape {shape}, made by layer 'in0' (Input)" in str(caught.value)


def test_h_and_w_need_two_axes():
    with pytest.raises(FieldError, match="kernel_h: works with two spatial axes only, got 1; use kernel_size"):
        build("num_output: 2 kernel_h: 3 kernel_w: 3", (1, 2, 8))


def test_bottoms_of_different_shapes():
    text = """
        layer { name: "in" type: "Input" top: "a" top: "b" input_param { shape { dim: 1 dim: 2 dim: 4 }
                                                                         shape { dim: 1 dim: 2 dim: 5 } } }
        layer { name: "c" type: "Convolution" bottom: "a" bottom: "b" top: "x" top: "y"
                convolution_param { num_output: 2 kernel_size: 2 } }
    """
    with pytest.raises(ShapeError, match=r"expected bottoms of one shape \(.*\), got \(1, 2, 4\) and \(1, 2, 5\)"):
        netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


def test_as_many_tops_as_bottoms():
    text = """
        layer { name: "in" type: "Input" top: "a" top: "b" input_param { shape { dim: 1 dim: 2 dim: 4 } } }
        layer { name: "c" type: "Convolution" bottom: "a" bottom: "b" top: "x"
                convolution_param { num_output: 2 kernel_size: 2 } }
    """
    with pytest.raises(ConfigError, match="expected as many tops as bottoms, got 2 bottoms and 1 tops"):
        netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


def test_macs():
    assert build("num_output: 4 kernel_size: 3 group: 2", (2, 6, 5, 5)).plan.steps[1].inferred.macs == 2 * 4 * 9 * 27


def test_sobel_equals_its_two_separable_halves():
    """Source of the idea: Caffe's own test; the filter [1 2 1]^T [-1 0 1] is the product of its factors."""
    image = np.random.default_rng(0).normal(size=(1, 1, 6, 7))
    column, row = np.array([1.0, 2, 1]), np.array([-1.0, 0, 1])
    whole = build("num_output: 1 kernel_size: 3 bias_term: false", image.shape)
    whole.params["conv1"][0].data[...] = np.outer(column, row)
    first = build("num_output: 1 kernel_h: 3 kernel_w: 1 bias_term: false", image.shape)
    first.params["conv1"][0].data[...] = column[:, None]
    second = build("num_output: 1 kernel_h: 1 kernel_w: 3 bias_term: false", (1, 1, 4, 7))
    second.params["conv1"][0].data[...] = row
    halves = second.forward(b0=first.forward(b0=image)["t0"])["t0"]
    np.testing.assert_allclose(whole.forward(b0=image)["t0"], halves, atol=1e-5)
