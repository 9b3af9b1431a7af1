"""Im2col against naive loops over every number of axes, and the battery."""
import itertools

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


def naive(x, kernel, *, axis=1, stride=1, pad=0, dilation=1):
    axes = len(kernel)
    stride, pad, dilation = ((n,) * axes if isinstance(n, int) else n for n in (stride, pad, dilation))
    images = x.reshape(-1, *x.shape[axis:])
    padded = np.pad(images, [(0, 0), (0, 0), *((p, p) for p in pad)])
    out = [(padded.shape[2 + a] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in range(axes)]
    y = np.zeros((len(images), images.shape[1], *kernel, *out))
    for tap in itertools.product(*map(range, kernel)):
        for o in itertools.product(*map(range, out)):
            place = tuple(o[a] * stride[a] + tap[a] * dilation[a] for a in range(axes))
            y[(slice(None), slice(None), *tap, *o)] = padded[(slice(None), slice(None), *place)]
    return y.reshape(*x.shape[:axis], -1, *out)


CASES = {
    "plain": ("kernel_size: 2", (2, 2, 3, 4), {"kernel": (2, 2)}),
    "stride and pad": ("kernel_size: 3 stride: 2 pad: 1", (2, 2, 4, 5), {"kernel": (3, 3), "stride": 2, "pad": 1}),
    "dilated": ("kernel_size: 2 dilation: 2", (1, 2, 4, 4), {"kernel": (2, 2), "dilation": 2}),
    "h and w": ("kernel_h: 1 kernel_w: 3 pad_w: 1", (1, 2, 3, 3), {"kernel": (1, 3), "pad": (0, 1)}),
    "1-D": ("kernel_size: 3 stride: 2", (2, 2, 6), {"kernel": (3,), "stride": 2}),
    "3-D": ("kernel_size: 2", (1, 2, 2, 3, 3), {"kernel": (2, 2, 2)}),
    "axis 2": ("kernel_size: 2 axis: 2", (2, 2, 2, 3, 3), {"kernel": (2, 2), "axis": 2}),
}


@pytest.mark.parametrize("name", CASES)
def test_battery(name):
    options, shape, kwargs = CASES[name]
    report = check_layer(f'type: "Im2col" convolution_param {{ {options} }}', [shape], lambda x: naive(x, **kwargs))
    assert {"gradients", "constraints", "other shape", "backward_reads"} <= set(report.passed)


def build(options, shape=(1, 2, 3, 3)):
    dims = " ".join(f"dim: {n}" for n in shape)
    text = f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
layer {{ name: "cols" type: "Im2col" bottom: "x" top: "y" convolution_param {{ {options} }} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


def test_a_product_with_the_columns_is_a_convolution():
    x, w = np.random.default_rng(0).normal(size=(1, 2, 5, 5)), np.random.default_rng(1).normal(size=(3, 2, 3, 3))
    columns = build("kernel_size: 3 stride: 2", x.shape).forward(x=x)["y"]
    want = [[(x[0, :, i:i + 3, j:j + 3] * f).sum() for i in (0, 2) for j in (0, 2)] for f in w]
    np.testing.assert_allclose(w.reshape(3, 18) @ columns.reshape(18, 4), want, atol=1e-5)


def test_errors():
    with pytest.raises(FieldError, match="kernel_size: missing"):
        build("stride: 2")
    with pytest.raises(ShapeError, match="the kernel 5x5 is larger than the image 3x3"):
        build("kernel_size: 5")
