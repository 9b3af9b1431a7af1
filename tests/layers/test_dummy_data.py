"""DummyData: both spellings of shapes, constants once, random numbers anew."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError


def net_of(options, tops='top: "a" top: "b"', **kwargs):
    text = f'layer {{ name: "dummy" type: "DummyData" {tops} dummy_data_param {{ {options} }} }}'
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), **{"seed": 1, **kwargs})


LEGACY = "num: 2 channels: 3 height: 4 width: 5"


@pytest.mark.parametrize(("options", "a", "b"), [
    ("shape { dim: 2 dim: 3 }", (2, 3), (2, 3)),
    ("shape { dim: 2 dim: 3 } shape { }", (2, 3), ()),
    ("shape { dim: 0 dim: 3 } shape { dim: 1 }", (0, 3), (1,)),
    (LEGACY, (2, 3, 4, 5), (2, 3, 4, 5)),
    (LEGACY + " num: 7 width: 1", (2, 3, 4, 5), (7, 3, 4, 1)),
])
def test_shapes(options, a, b):
    net = net_of(options)
    assert (net.blobs["a"].shape, net.blobs["b"].shape) == (a, b)
    net.forward()
    assert not net.blobs["a"].data.any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_filler_for_all_or_one_a_top(dtype):
    net = net_of("shape { dim: 3 } data_filler { value: 2 }", dtype=dtype)
    net.forward()
    assert net.blobs["a"].data.tolist() == net.blobs["b"].data.tolist() == [2, 2, 2]
    net = net_of('shape { dim: 3 } data_filler { value: 2 } data_filler { type: "uniform" min: 5 max: 6 }', dtype=dtype)
    net.forward()
    assert net.blobs["a"].data.tolist() == [2, 2, 2]
    assert ((net.blobs["b"].data >= 5) & (net.blobs["b"].data <= 6)).all()


def test_constants_are_filled_once():
    for filler in ("", "data_filler { value: 3 }"):
        net = net_of(f"shape {{ dim: 2 }} {filler}")
        net.forward()
        net.blobs["a"].data[...] = 9
        net.forward()
        assert net.blobs["a"].data.tolist() == [9, 9]


def test_random_numbers_are_drawn_anew():
    def passes():
        net = net_of('shape { dim: 50 } data_filler { type: "gaussian" std: 2 }')
        for _ in range(2):
            net.forward()
            yield net.blobs["a"].data.copy(), net.blobs["b"].data.copy()

    (a, b), (a1, _) = passes()
    assert not np.array_equal(a, b)
    assert not np.array_equal(a, a1)
    assert all(np.array_equal(x, y) for first, second in zip(passes(), passes(), strict=True)
               for x, y in zip(first, second, strict=True))
    assert 1 < a.std() < 3


@pytest.mark.parametrize(("options", "message"), [
    ("", "shape: missing"),
    ("num: 1", "channels: expected once, or once a top .2., got 0"),
    ("shape { dim: 1 } " + LEGACY, "num: expected either shape or num, channels, height, width, got both"),
    ("shape { dim: 1 } " * 3, "shape: expected once, or once a top .2., got 3"),
    (LEGACY + " height: 1 height: 2", "height: expected once, or once a top .2., got 3"),
    ("shape { dim: -1 }", "expected sizes of at least 0, got -1"),
    ("shape { dim: 1 } " + "data_filler { } " * 3, "data_filler: expected none, 1 or one a top .2., got 3"),
    ('shape { dim: 1 } data_filler { type: "gausian" }', "unknown filler type 'gausian'.*did you mean 'gaussian'"),
])
def test_bad_options(options, message):
    with pytest.raises(FieldError, match=message):
        net_of(options)
