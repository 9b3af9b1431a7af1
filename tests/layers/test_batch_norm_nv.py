"""NVIDIA Caffe's BatchNorm: when it is meant, its params, what it stores, and the battery."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.layers.batch_norm import BatchNorm
from netdef.layers.batch_norm_nv import NvidiaBatchNorm
from netdef.testing import check_layer

EPS = float(np.float32(0.01))
PARAMS = [np.array(v) for v in ([0.5, -1.0], [3.0, 1.0], [1.0], [1.5, -0.5], [0.25, 1.0])]


def axes(x):
    return tuple(i for i in range(x.ndim) if i != 1)


def channel(p, x):
    return p.reshape(1, -1, *[1] * (x.ndim - 2))


def by_batch(x, _m, _v, _c, *affine):
    z = (x - x.mean(axes(x), keepdims=True)) / np.sqrt(x.var(axes(x), keepdims=True) + EPS)
    return channel(affine[0], x) * z + channel(affine[1], x) if affine else z


def by_stored(x, mean, variance, _c, *affine):
    z = (x - channel(mean, x)) / np.sqrt(channel(variance, x) + EPS)
    return channel(affine[0], x) * z + channel(affine[1], x) if affine else z


@pytest.mark.parametrize("shape", [(4, 2), (3, 2, 3, 2)])
@pytest.mark.parametrize("phase, reference", [("TRAIN", by_batch), ("TEST", by_stored)])
@pytest.mark.parametrize("fields, params", [("scale_bias: true", 5), ("scale_filler { value: 2 }", 5), ("scale_bias: false", 3)])
def test_battery(shape, phase, reference, fields, params):
    report = check_layer(f'type: "BatchNorm" batch_norm_param {{ eps: 0.01 {fields} }}', [shape], reference, phase=phase,
                         params=PARAMS[:params], statistics=(0, 1, 2))
    assert {"values", "gradients", "in place"} <= set(report.passed)


def net(options, phase="TRAIN", **kwargs):
    return netdef.Net(parse_text_message(f'''
        layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 4 dim: 3 }} }} }}
        layer {{ name: "bn" type: "BatchNorm" bottom: "x" top: "y" batch_norm_param {{ {options} }} }}''', "net.prototxt",
                                         "NetParameter"), phase=phase, **kwargs)


def test_the_fields_decide():
    kinds = {options: type(net(options).steps[-1].layer) for options in ("", "eps: 0.1", "scale_bias: true", "bias_filler { }")}
    assert list(kinds.values()) == [BatchNorm, BatchNorm, NvidiaBatchNorm, NvidiaBatchNorm]


def test_params_at_birth():
    made = net("scale_bias: true")
    assert [p.data.tolist() for p in made.params["bn"]] == [[0] * 3, [0] * 3, [1], [1] * 3, [0] * 3]
    assert [p.data[0] for p in net("scale_filler { value: 2 } bias_filler { value: 3 }").params["bn"][3:]] == [2, 3]


def test_what_is_stored():
    """The first two passes are copied, then a true average is kept; the variance is the biased one, the third param 1."""
    made = net("scale_bias: true moving_average_fraction: 0.75")
    batches = np.random.default_rng(0).normal(size=(4, 4, 3)).astype(np.float32)
    want = None
    for i, x in enumerate(batches):
        made.forward(x=x)
        now = np.array([x.mean(0), x.var(0)])
        want = now if i < 2 else 0.75 * want + 0.25 * now
        np.testing.assert_allclose([p.data for p in made.params["bn"][:2]], want, rtol=1e-5)
    assert made.params["bn"][2].data.tolist() == [1]
    assert made.steps[-1].layer.state() == {"passes": 4}


def test_eps_is_at_least_1e_5_and_the_phase_decides(caplog):
    x = np.array([[1.0, 2, 3]] * 4)
    y = net("eps: 1e-9 scale_bias: true use_global_stats: false", "TEST").forward(x=x)["y"]
    np.testing.assert_allclose(y, x / np.sqrt(1e-5), rtol=1e-5)
    assert "use_global_stats: has no effect in NVIDIA Caffe's BatchNorm" in caplog.text


def test_in_a_frozen_net_it_goes_into_the_weights(tmp_path):
    text = '''layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 5 dim: 5 } } }
        layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 2 kernel_size: 3
                weight_filler { type: "gaussian" } } }
        layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" batch_norm_param { eps: 0.01 scale_bias: true } }'''
    plain = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), seed=1)
    for blob, value in zip(plain.params["bn"], PARAMS, strict=True):
        blob.data[...] = value
    plain.save(tmp_path / "w.npz")
    frozen = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), weights=tmp_path / "w.npz", keep="outputs",
                        freeze=True)
    assert [item.name for item in frozen.executor.pieces] == ["x", "c + bn"]
    x = np.random.default_rng(0).normal(size=(1, 2, 5, 5))
    np.testing.assert_allclose(frozen.forward(x=x)["c"], plain.forward(x=x)["c"], rtol=1e-4, atol=1e-5)
