"""Scale: its axes, with and without bias, learned or from a second bottom, in place, and its filler."""
import logging

import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer

CASES = [
    ("", (2, 3, 4, 5), (3,), 1),
    ("", (2, 3), (3,), 1),
    ("axis: 0", (2, 3, 4), (2,), 0),
    ("axis: -1", (2, 3, 4), (4,), 2),
    ("axis: 1 num_axes: 2", (2, 3, 4, 2), (3, 4), 1),
    ("axis: 1 num_axes: -1", (2, 3, 4), (3, 4), 1),
    ("axis: 0 num_axes: -1", (2, 3), (2, 3), 0),
    ("num_axes: 0", (2, 3, 4), (), 1),
]


def spread(b, ndim, axis):
    """b with axes of size 1 around it, for NumPy's broadcasting."""
    return b.reshape(*(1,) * axis, *b.shape, *(1,) * (ndim - axis - b.ndim)) if b.ndim else b


def scaled(axis):
    return lambda x, s, *b: x * spread(s, x.ndim, axis) + (spread(b[0], x.ndim, axis) if b else 0)


@pytest.mark.parametrize(("options", "shape", "over", "axis"), CASES)
@pytest.mark.parametrize("bias", ["", "bias_term: true"])
def test_learned(options, shape, over, axis, bias):
    report = check_layer(f'type: "Scale" scale_param {{ {options} {bias} }}', [shape], scaled(axis), batch=axis > 0)
    assert {"gradients", "in place", "backward_reads"} <= set(report.passed)


@pytest.mark.parametrize(("options", "shape", "over", "axis"), CASES)
@pytest.mark.parametrize("bias", ["", "bias_term: true"])
def test_from_a_second_bottom(options, shape, over, axis, bias):
    report = check_layer(f'type: "Scale" scale_param {{ {options} {bias} }}', [shape, over], scaled(axis),
                         batch=(0,) if axis else False)
    assert {"gradients", "in place", "need"} <= set(report.passed)


def net_of(options, top="y"):
    return netdef.Net(parse_text_message(f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 2 }} }} }}
        layer {{ name: "s" type: "Scale" bottom: "x" top: "{top}" {options} }}''', "net.prototxt", "NetParameter"))


def test_scales_start_at_one(caplog):
    with caplog.at_level(logging.WARNING, "netdef"):
        net = net_of("scale_param { bias_term: true }")
        assert [p.data.tolist() for p in net.params["s"]] == [[1, 1], [0, 0]]
        assert net_of("scale_param { filler { value: 3 } }").params["s"][0].data.tolist() == [3, 3]
    assert not caplog.text


def test_trap_7_an_explicit_empty_filler_is_zero(caplog):
    """Trap 7: not 1 but 0, and said."""
    with caplog.at_level(logging.WARNING, "netdef"):
        net = net_of("scale_param { filler { } }")
    assert net.params["s"][0].data.tolist() == [0, 0]
    assert "net.prototxt:3" in caplog.text
    assert "a filler without a value is the constant 0: all outputs start at 0" in caplog.text


def test_one_blob_as_both_bottoms():
    net = netdef.Net(parse_text_message('''force_backward: true
        layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 } } }
        layer { name: "square" type: "Scale" bottom: "x" bottom: "x" top: "y" scale_param { axis: 0 } }''',
                                        "net.prototxt", "NetParameter"))
    assert net.forward(x=[3, -4])["y"].tolist() == [9, 16]
    net.backward(y=[1, 1])
    assert net.blobs["x"].diff.tolist() == [6, -8]


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"from axis 1 on, got the shape \(2,\)"):
        check_layer('type: "Scale"', [(2, 3), (2,)])
