"""Normalize against its formula, and the battery."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer

EPS = float(np.float32(1e-10))


def naive(x, scale, across, eps=EPS):
    axes = tuple(range(1, x.ndim)) if across else (1,)
    norm = np.sqrt(np.square(x).sum(axes, keepdims=True) + eps)
    return x / norm * (scale if scale.ndim == 0 else scale.reshape(1, -1, *(1,) * (x.ndim - 2)))


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 2, 2), (3, 2, 4)])
def test_battery(across, shared, shape):
    report = check_layer(f'type: "Normalize" norm_param {{ across_spatial: {str(across).lower()} '
                         f'channel_shared: {str(shared).lower()} }}', [shape],
                         lambda x, scale: naive(x, scale, across))
    assert {"gradients", "constraints", "backward_reads"} <= set(report.passed)
    assert len(report.gradients) == 4


def test_a_large_eps():
    check_layer('type: "Normalize" norm_param { eps: 0.5 }', [(2, 3, 2)], lambda x, s: naive(x, s, True, 0.5))


def build(options="", shape=(1, 2, 1, 2)):
    dims = " ".join(f"dim: {n}" for n in shape)
    text = f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
layer {{ name: "norm" type: "Normalize" bottom: "x" top: "y" norm_param {{ {options} }} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


def test_by_hand():
    x = np.array([[[[3.0, 0]], [[4.0, 0]]]])
    assert build().params["norm"][0].shape == ()
    np.testing.assert_allclose(build().forward(x=x)["y"], x / 5, rtol=1e-6)
    ssd = build("across_spatial: false channel_shared: false scale_filler { type: 'constant' value: 20 }")
    assert ssd.params["norm"][0].data.tolist() == [20, 20]
    np.testing.assert_allclose(ssd.forward(x=x)["y"], x * 4, rtol=1e-6)


def test_an_explicit_empty_filler_means_zero():
    assert build("scale_filler { }").params["norm"][0].data == 0


def test_it_needs_channels():
    with pytest.raises(ShapeError, match="expected a bottom of at least two axes"):
        build(shape=(3,))


def by_length(kind):
    def lengths(x):
        r = np.sqrt(np.square(x).sum(1, keepdims=True) + 1e-6) if kind == "L2" else np.abs(x).sum(1, keepdims=True) + 1e-6
        return [x / r, r]
    return lengths


@pytest.mark.parametrize("kind", ["L2", "L1"])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 2, 2)])
def test_battery_of_caffe_windows(kind, shape):
    options = f'normalize_param {{ normalize_type: "{kind}" bp_norm: true }}'
    report = check_layer(f'type: "Normalize" {options}', [shape], by_length(kind), tops=2)
    assert {"values", "gradients", "backward_reads"} <= set(report.passed)
    check_layer(f'type: "Normalize" {options}', [shape], lambda x: by_length(kind)(x)[0])
    check_layer(f'type: "Normalize" softmax_param {{ normalize_type: "{kind}" }}', [shape], lambda x: by_length(kind)(x)[0])


def test_without_bp_norm_the_lengths_pass_no_gradient():
    check_layer('type: "Normalize" normalize_param { }', [(2, 3)], by_length("L2"), tops=2, gradient_tops=[0])


@pytest.mark.parametrize(("options", "tops", "message"), [
    ('normalize_param { normalize_type: "L3" }', 1, "expected normalize_type: L2 or L1, got 'L3'"),
    ("normalize_param { } norm_param { }", 1, "expected either norm_param or normalize_param, got both"),
    ("", 2, "a second top, the lengths, needs normalize_param"),
])
def test_which_layer_it_is(options, tops, message):
    with pytest.raises(FieldError, match=message):
        check_layer(f'type: "Normalize" {options}', [(2, 3)], tops=tops)


def test_softmax_knows_only_itself():
    check_layer('type: "Softmax" softmax_param { normalize_type: "Softmax" }', [(2, 3)])
    with pytest.raises(FieldError, match="normalize_type: expected Softmax, which is all that is known in this type, got 'L2'"):
        check_layer('type: "Softmax" softmax_param { normalize_type: "L2" }', [(2, 3)])
