"""Input: shapes for one and several tops, and what is wrong with the others."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError


def net_of(options, tops='top: "a" top: "b"', **kwargs):
    text = f'layer {{ name: "in" type: "Input" {tops} {options} }}'
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), **kwargs)


def test_one_shape_goes_for_all_tops():
    net = net_of("input_param { shape { dim: 2 dim: 3 } }")
    assert net.inputs == ["a", "b"]
    assert net.blobs["a"].shape == net.blobs["b"].shape == (2, 3)


def test_one_shape_a_top():
    net = net_of("input_param { shape { dim: 2 dim: 3 } shape { dim: 0 } }")
    assert (net.blobs["a"].shape, net.blobs["b"].shape) == ((2, 3), (0,))


def test_a_shape_without_sizes_is_a_scalar():
    assert net_of("input_param { shape { } }", 'top: "a"').blobs["a"].shape == ()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forward_keeps_what_was_put_in(dtype):
    net = net_of("input_param { shape { dim: 2 } }", dtype=dtype)
    net.blobs["a"].data[...] = [1, 2]
    net.forward(b=np.arange(5))
    assert net.blobs["a"].data.tolist() == [1, 2]
    assert net.blobs["b"].data.tolist() == [0, 1, 2, 3, 4]
    assert net.blobs["a"].data.dtype == dtype


@pytest.mark.parametrize(("options", "message"), [
    ("", "shape: missing"),
    ("input_param { }", "shape: missing"),
    ("input_param { shape { } shape { } shape { } }", r"expected 1 shape or one a top \(2\), got 3"),
    ("input_param { shape { dim: 1 dim: -2 } }", "expected sizes of at least 0, got -2"),
])
def test_bad_shapes(options, message):
    with pytest.raises(FieldError, match=message):
        net_of(options)


def test_a_negative_size_is_located():
    with pytest.raises(FieldError) as caught:
        net_of("input_param { shape { dim: 1 dim: -2 } }")
    assert caught.value.span.text[caught.value.span.column - 1:].startswith("-2")
