"""LayerNorm and GroupNorm against their formulas, and the battery."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer

EPS = float(np.float32(1e-5))


def standard(x, axes):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + EPS)


def layer_norm(axis):
    def reference(x, *params):
        first = axis % x.ndim
        u = standard(x, tuple(range(first, x.ndim)))
        return affine(u, params, lambda p: p)
    return reference


def group_norm(group):
    def reference(x, *params):
        parts = x.reshape(x.shape[0], group, x.shape[1] // group, -1)
        u = standard(parts, (2, 3)).reshape(x.shape)
        return affine(u, params, lambda p: p.reshape(1, -1, *(1,) * (x.ndim - 2)))
    return reference


def affine(u, params, place):
    scale, bias = params
    return u * place(scale) + place(bias)


@pytest.mark.parametrize("axis, shape", [(1, (3, 4)), (1, (2, 2, 3, 2)), (-1, (2, 3, 4)), (2, (2, 2, 2, 3))])
def test_layer_norm_battery(axis, shape):
    report = check_layer(f'type: "LayerNorm" layer_norm_param {{ axis: {axis} }}', [shape], layer_norm(axis))
    assert {"gradients", "in place", "backward_reads", "constraints"} <= set(report.passed)
    assert len(report.gradients) == 6


@pytest.mark.parametrize("group", [1, 2, 4])
@pytest.mark.parametrize("shape", [(2, 4, 3), (2, 4, 2, 2)])
def test_group_norm_battery(group, shape):
    report = check_layer(f'type: "GroupNorm" group_norm_param {{ group: {group} }}', [shape], group_norm(group))
    assert {"gradients", "in place", "backward_reads", "constraints"} <= set(report.passed)
    assert len(report.gradients) == 6


@pytest.mark.parametrize("terms, reference", [
    ("scale_term: false bias_term: false", lambda u: u),
    ("scale_term: false", lambda u, b: u + b),
    ("bias_term: false", lambda u, g: u * g),
])
def test_either_term_may_be_left_out(terms, reference):
    check_layer(f'type: "LayerNorm" layer_norm_param {{ {terms} }}', [(3, 4)],
                lambda x, *p: reference(standard(x, (1,)), *p))


def build(layer, shape):
    dims = " ".join(f"dim: {n}" for n in shape)
    text = f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
layer {{ name: "norm" bottom: "x" top: "y" {layer} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


def test_first_values():
    net = build('type: "LayerNorm"', (2, 3))
    assert [p.data.tolist() for p in net.params["norm"]] == [[1, 1, 1], [0, 0, 0]]
    net = build('type: "GroupNorm" group_norm_param { group: 1 scale_filler { value: 2 } bias_filler { value: 3 } }',
                (2, 3))
    assert [p.data.tolist() for p in net.params["norm"]] == [[2, 2, 2], [3, 3, 3]]


@pytest.mark.parametrize("layer, shape, message", [
    ('type: "GroupNorm"', (2, 6, 2), "expected a number of channels that group 32 divides, got 6"),
    ('type: "GroupNorm"', (2,), r"expected a bottom of at least two axes \(N, C, ...\), got \(2,\)"),
    ('type: "LayerNorm"', (2,), "axis 1 does not exist in a bottom of 1 axes"),
])
def test_shapes_that_do_not_fit(layer, shape, message):
    with pytest.raises(ShapeError, match=message):
        build(layer, shape)


def test_as_many_groups_as_channels_is_one_group_of_batch_norm():
    x = np.random.default_rng(0).normal(2, 3, (2, 4, 5, 5))
    y = build('type: "GroupNorm" group_norm_param { group: 4 }', x.shape).forward(x=x)["y"]
    np.testing.assert_allclose(y, standard(x, (2, 3)), atol=1e-5)
