"""LRN against naive sums, Caffe's trap 9, and the battery."""
import logging

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


def naive_across(x, size=5, alpha=1.0, beta=0.75, k=1.0):
    out = np.empty_like(x)
    for c in range(x.shape[1]):
        near = x[:, max(0, c - size // 2): c + size // 2 + 1]
        out[:, c] = x[:, c] / (k + alpha / size * np.square(near).sum(1)) ** beta
    return out


def naive_within(x, size=5, alpha=1.0, beta=0.75):
    half, out = size // 2, np.empty_like(x)
    for h in range(x.shape[2]):
        for w in range(x.shape[3]):
            near = x[:, :, max(0, h - half): h + half + 1, max(0, w - half): w + half + 1]
            out[:, :, h, w] = x[:, :, h, w] / (1 + alpha / size**2 * np.square(near).sum((2, 3))) ** beta
    return out


@pytest.mark.parametrize("options, kwargs", [
    ("", {}), ("local_size: 3 alpha: 0.5 beta: 0.5 k: 2", {"size": 3, "alpha": 0.5, "beta": 0.5, "k": 2.0}),
    ("local_size: 1 beta: 1", {"size": 1, "beta": 1.0}), ("local_size: 15", {"size": 15})])
@pytest.mark.parametrize("shape", [(2, 7, 2, 2), (1, 2, 3, 2)])
def test_battery_across_channels(options, kwargs, shape):
    report = check_layer(f'type: "LRN" lrn_param {{ {options} }}', [shape], lambda x: naive_across(x, **kwargs))
    assert {"gradients", "backward_reads", "constraints"} <= set(report.passed)


@pytest.mark.parametrize("options, kwargs", [
    ("", {}), ("local_size: 3 alpha: 0.5 beta: 0.5", {"size": 3, "alpha": 0.5, "beta": 0.5}),
    ("local_size: 1", {"size": 1})])
@pytest.mark.parametrize("shape", [(2, 2, 4, 3), (1, 1, 2, 6)])
def test_battery_within_a_channel(options, kwargs, shape):
    check_layer(f'type: "LRN" lrn_param {{ norm_region: WITHIN_CHANNEL {options} }}', [shape],
                lambda x: naive_within(x, **kwargs))


def build(options, shape=(1, 1, 3, 3)):
    dims = " ".join(f"dim: {n}" for n in shape)
    text = f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
layer {{ name: "norm" type: "LRN" bottom: "x" top: "y" lrn_param {{ {options} }} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


def test_trap_09_alpha_is_divided_by_local_size_and_k_is_1():
    y = build("local_size: 5 alpha: 10 beta: 1", (1, 1, 1, 1)).forward(x=np.full((1, 1, 1, 1), 2.0))["y"]
    np.testing.assert_allclose(y, 2 / (1 + 10 / 5 * 4))


def test_trap_09_within_channel_ignores_k_and_divides_by_the_whole_window(caplog):
    with caplog.at_level(logging.WARNING, logger="netdef"):
        net = build("local_size: 3 alpha: 1 beta: 1 k: 5 norm_region: WITHIN_CHANNEL")
        y = net.forward(x=np.ones((1, 1, 3, 3)))["y"][0, 0]
    np.testing.assert_allclose(y[0, 0], 1 / (1 + 4 / 9))
    np.testing.assert_allclose(y[1, 1], 0.5)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("net.prototxt:2:")
    assert "layer 'norm' (LRN): k: 5 has no effect with WITHIN_CHANNEL, which takes 1, as in Caffe" in caplog.text


def test_no_warning_where_k_has_its_effect(caplog):
    with caplog.at_level(logging.WARNING, logger="netdef"):
        build("k: 5")
        build("k: 1 norm_region: WITHIN_CHANNEL")
    assert not caplog.messages


def test_an_even_size_and_other_shapes_are_errors():
    with pytest.raises(FieldError, match="local_size: expected an odd number of at least 1, got 4"):
        build("local_size: 4")
    with pytest.raises(ShapeError, match=r"expected a bottom of 4 axes \(N, C, H, W\), got \(2, 3\)"):
        build("", (2, 3))
