"""BN of SegNet and of PSPNet: the battery, what is stored, and what is refused."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError
from netdef.testing import check_layer

EPS = float(np.float32(0.01))


def axes(x):
    return tuple(i for i in range(x.ndim) if i != 1)


def channel(p, x):
    return p.reshape(1, -1, *[1] * (x.ndim - 2))


def by_batch(eps):
    def reference(x, scale, shift, *stored):
        z = (x - x.mean(axes(x), keepdims=True)) / np.sqrt(x.var(axes(x), keepdims=True) + eps)
        return channel(scale, x) * z + channel(shift, x)
    return reference


def by_stored(x, slope, bias, mean, variance):
    return channel(slope, x) * (x - channel(mean, x)) / np.sqrt(channel(variance, x) + EPS) + channel(bias, x)


PARAMS = [np.reshape(v, (1, 2, 1, 1)) for v in ([1.5, -0.5], [0.25, 1.0], [0.5, -1.0], [3.0, 1.0])]


@pytest.mark.parametrize("shape", [(4, 2), (3, 2, 3, 2)])
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_segnet_learns_by_the_batch_in_both_phases(shape, phase):
    check_layer('type: "BN" bn_param { scale_filler { type: "constant" value: 1 } }', [shape], by_batch(1e-9), phase=phase,
                params=PARAMS[:2])


def test_segnet_after_training():
    check_layer('type: "BN" bn_param { bn_mode: INFERENCE }', [(3, 2, 3, 2)],
                lambda x, scale, shift: channel(scale, x) * x + channel(shift, x), params=PARAMS[:2])


def test_pspnet_by_the_batch():
    check_layer('type: "BN" bn_param { eps: 0.01 }', [(3, 2, 3, 2)], by_batch(EPS), params=PARAMS, statistics=(2, 3))


def test_pspnet_by_what_is_stored():
    check_layer('type: "BN" bn_param { eps: 0.01 }', [(3, 2, 3, 2)], by_stored, params=PARAMS, phase="TEST", statistics=(2, 3))


def test_pspnet_frozen():
    check_layer('type: "BN" bn_param { eps: 0.01 frozen: true }', [(3, 2, 3, 2)], by_stored, params=PARAMS,
                statistics=(0, 1, 2, 3))


def build(options, phase="TRAIN"):
    text = f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 4 dim: 3 dim: 2 dim: 2 }} }} }}
layer {{ name: "bn" type: "BN" bottom: "x" top: "y" bn_param {{ {options} }} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), phase=phase)


def test_pspnet_stores_biased_statistics():
    net = build('momentum: 0.75 slope_filler { type: "constant" value: 1 }')
    x = np.random.default_rng(3).standard_normal((4, 3, 2, 2)).astype(np.float32)
    net.forward(x=x)
    slope, bias, mean, variance = (b.data.reshape(-1) for b in net.params["bn"])
    assert (slope == 1).all() and (bias == 0).all()
    np.testing.assert_allclose(mean, 0.25 * x.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(variance, 0.25 * x.var((0, 2, 3)), rtol=1e-5)


def test_segnet_has_two_params():
    assert [b.shape for b in build("bn_mode: LEARN").params["bn"]] == [(1, 3, 1, 1)] * 2


def test_fields_of_both():
    with pytest.raises(FieldError, match="scale_filler is SegNet's and frozen is PSPNet's"):
        build('scale_filler { type: "constant" value: 1 } frozen: true')
