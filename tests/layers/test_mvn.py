"""MVN against its formula, Caffe's trap 10, and the battery."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer

EPS = float(np.float32(1e-9))


def naive(x, across=False, variance=True, eps=EPS):
    axes = tuple(range(1 if across else 2, x.ndim))
    centred = x - x.mean(axes, keepdims=True)
    return centred / (x.std(axes, keepdims=True) + eps) if variance else centred


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("variance", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 2, 4), (2, 2, 5), (2, 2, 2, 1, 3)])
def test_battery(across, variance, shape):
    report = check_layer(f'type: "MVN" mvn_param {{ across_channels: {str(across).lower()} '
                         f'normalize_variance: {str(variance).lower()} }}', [shape],
                         lambda x: naive(x, across, variance))
    assert {"gradients", "in place", "backward_reads"} <= set(report.passed)


def test_the_gradient_is_right_for_a_large_eps_too():
    check_layer('type: "MVN" mvn_param { eps: 0.5 }', [(2, 2, 2, 2)], lambda x: naive(x, eps=0.5))


def run(x, options="", phase="TRAIN"):
    dims = " ".join(f"dim: {n}" for n in np.shape(x))
    text = f"""force_backward: true
        layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
        layer {{ name: "mvn" type: "MVN" bottom: "x" top: "y" mvn_param {{ {options} }} }}"""
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), phase=phase)
    return net, net.forward(x=x)["y"]


def test_trap_10_eps_is_added_to_the_standard_deviation():
    _, y = run(np.array([[[[0.0, 2.0]]]]), "eps: 1")
    assert y.tolist() == [[[[-0.5, 0.5]]]]


def test_trap_10_channels_are_normalised_apart_by_default():
    x = np.random.default_rng(0).normal(5, 3, (2, 3, 4, 4))
    _, y = run(x)
    np.testing.assert_allclose(y.mean((2, 3)), 0, atol=1e-3)
    np.testing.assert_allclose(y.var((2, 3)), 1, atol=1e-3)
    _, y = run(x, "across_channels: true")
    np.testing.assert_allclose(y.mean((1, 2, 3)), 0, atol=1e-3)
    assert np.abs(y.mean((2, 3))).max() > 0.05


def test_equal_values_give_zeros():
    net, y = run(np.full((1, 2, 2, 2), 7.0), "eps: 0.1")
    assert not y.any()
    net.backward(y=np.array([1.0, 0, 0, 0, 0, 0, 0, 0]).reshape(1, 2, 2, 2))
    np.testing.assert_allclose(net.blobs["x"].diff[0, 0].ravel(), [7.5, -2.5, -2.5, -2.5], rtol=1e-6)


def test_no_axis_is_an_error():
    text = """layer { name: "in" type: "Input" top: "x" input_param { shape { } } }
        layer { name: "mvn" type: "MVN" bottom: "x" top: "y" }"""
    with pytest.raises(ShapeError, match="expected a bottom with at least one axis"):
        netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))
