"""Net: blobs, params, passes, reshaping, sharing, state."""
from __future__ import annotations

import numpy as np
import pytest

import netdef
from netdef.errors import NetdefError, ShapeError

MLP = '''
name: "mlp"
layer { name: "data" type: "Input" top: "data" top: "label" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.1 } } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.5 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
'''


def numpy_mlp(net, x, label):
    """Loss and gradients of the net above, written out."""
    w1, b1 = (b.data.astype("f8") for b in net.params["ip1"])
    w2, b2 = (b.data.astype("f8") for b in net.params["ip2"])
    h = np.maximum(x @ w1.T + b1, 0)
    s = h @ w2.T + b2
    p = np.exp(s - s.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    n = len(x)
    loss = -np.log(p[np.arange(n), label]).mean()
    ds = p.copy()
    ds[np.arange(n), label] -= 1
    ds /= n
    dh = (ds @ w2) * (h > 0)
    return loss, {"ip2": (ds.T @ h, ds.sum(0)), "ip1": (dh.T @ x, dh.sum(0))}


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-5)])
def test_loss_and_gradients_equal_the_formulas(net_of, dtype, tolerance):
    net = net_of(MLP, phase="TRAIN", dtype=dtype)
    x, label = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 1, 1, 0])
    out = net.forward(data=x, label=label)
    net.backward()
    loss, gradients = numpy_mlp(net, x, label)
    assert net.loss == pytest.approx(loss, rel=tolerance)
    assert out["loss"].shape == () and out["loss"] == pytest.approx(loss, rel=tolerance)
    for layer, want in gradients.items():
        for param, g in zip(net.params[layer], want, strict=True):
            np.testing.assert_allclose(param.diff, g, rtol=tolerance, atol=tolerance)


def test_param_gradients_add_up_until_cleared(net_of):
    net = net_of(MLP, phase="TRAIN", dtype="float64")
    net.forward(data=np.ones((4, 3)))
    net.backward()
    once = net.params["ip2"][0].diff.copy()
    net.backward()
    np.testing.assert_allclose(net.params["ip2"][0].diff, 2 * once)
    net.clear_param_diffs()
    assert not net.params["ip2"][0].diff.any()


def test_same_seed_same_params(net_of):
    a, b, c = net_of(MLP), net_of(MLP), net_of(MLP, seed=2)
    assert np.array_equal(a.params["ip1"][0].data, b.params["ip1"][0].data)
    assert not np.array_equal(a.params["ip1"][0].data, c.params["ip1"][0].data)


def test_inputs_can_be_reshaped_between_passes(net_of):
    net = net_of(MLP, phase="TRAIN")
    fresh = net_of(MLP, phase="TRAIN")
    x = np.random.default_rng(0).normal(size=(7, 3))
    for n in (7, 2, 7):
        net.forward(data=x[:n], label=np.zeros(n))
        fresh.forward(data=x[:n], label=np.zeros(n))
        assert net.blobs["ip2"].shape == (n, 2)
        assert net.loss == fresh.loss
    net.blobs["data"].reshape(3, 3)
    net.blobs["label"].reshape(3)
    net.reshape()
    assert net.blobs["ip2"].data.shape == (3, 2)


def test_a_new_size_must_not_change_params(net_of):
    net = net_of(MLP)
    with pytest.raises((NetdefError, ShapeError), match="param|expected"):
        net.forward(data=np.zeros((4, 9)))


def test_start_and_end(net_of):
    net = net_of(MLP)
    net.forward(data=np.ones((4, 3)), end="relu1")
    assert not net.blobs["ip2"].data.any()
    net.blobs["ip1"].data[...] = 0
    net.forward(start="ip2", end="ip2")
    assert not net.blobs["ip2"].data.any()
    with pytest.raises(NetdefError, match="the net has no layer 'nix'"):
        net.forward(start="nix")


def test_unknown_names(net_of):
    with pytest.raises(NetdefError, match="the net has no blob 'dato'; did you mean 'data'?"):
        net_of(MLP).forward(dato=1)
    with pytest.raises(NetdefError, match="dtype: expected float32 or float64, got float16"):
        net_of(MLP, dtype="float16")
    with pytest.raises(NetdefError, match="phase: expected TRAIN or TEST, got train"):
        net_of(MLP, phase="train")


def test_freeze(net_of):
    net = net_of(MLP, freeze=True)
    net.forward()
    with pytest.raises(NetdefError, match="freeze=True"):
        net.backward()
    with pytest.raises(ValueError, match="read-only"):
        net.params["ip1"][0].data[...] = 0


def test_hooks_see_every_layer_in_order(net_of):
    net, seen = net_of(MLP, phase="TRAIN"), []
    with net.hooks.added(before_forward=lambda s: seen.append(s.name), after_backward=lambda s: seen.append("-" + s.name)):
        net.forward()
        net.backward()
    assert seen == ["data", "ip1", "relu1", "ip2", "loss", "-loss", "-ip2", "-relu1", "-ip1"]
    net.forward()
    assert len(seen) == 9
    with pytest.raises(ValueError, match="no hook event 'later'"):
        net.hooks.add("later", print)


def test_fan_out_sums_gradients_and_shows_one_blob(net_of):
    net = net_of('''
force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 } } }
layer { name: "y" type: "Eltwise" bottom: "x" bottom: "x" bottom: "x" top: "y" eltwise_param { coeff: 1 coeff: 2 coeff: 4 } }
''', dtype="float64")
    net.forward(x=np.ones((2, 2)))
    net.backward(y=np.ones((2, 2)))
    assert list(net.blobs) == ["x", "y"]
    assert (net.blobs["x"].diff == 7).all()


def test_shared_params_are_one_memory(net_of):
    net = net_of(MLP.replace('bottom: "data" top: "ip1"', 'bottom: "data" top: "ip1" param { name: "w" }')
                 .replace('num_output: 5', 'num_output: 3').replace('bottom: "ip1" top: "ip2"', 'bottom: "ip1" top: "ip2" '
                 'param { name: "w" }').replace("num_output: 2", "num_output: 3"), phase="TRAIN", dtype="float64")
    first, second = net.params["ip1"][0], net.params["ip2"][0]
    first.data[0, 0] = 42
    assert second.data[0, 0] == 42
    net.forward(data=np.ones((4, 3)))
    net.backward()
    assert np.array_equal(first.diff, second.diff)
    assert net.learnable() == [0, 1, 3]


def test_state_repeats_dropout(net_of):
    net = net_of(MLP.replace('type: "ReLU"', 'type: "Dropout"'), phase="TRAIN")
    state = net.state()
    first = net.forward(data=np.ones((4, 3)))["loss"].copy()
    losses = {float(net.forward()["loss"]) for _ in range(5)}
    assert len(losses) > 1
    net.set_state(state)
    assert net.forward()["loss"] == first


def test_loss_weights_on_any_top(net_of):
    net = net_of('''
force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 } } }
layer { name: "y" type: "Eltwise" bottom: "x" bottom: "x" top: "y" loss_weight: 0.5 }
''', dtype="float64", phase="TRAIN")
    net.forward(x=np.arange(4).reshape(2, 2))
    net.backward()
    assert net.loss == 0.5 * 12
    assert (net.blobs["x"].diff == 1).all()


def test_save_and_load(net_of, tmp_path):
    for name in ("w.caffemodel", "w.npz"):
        net, other = net_of(MLP), net_of(MLP, seed=9)
        net.save(tmp_path / name)
        report = other.load(tmp_path / name)
        assert report.loaded == ["ip1", "ip2"] and not report.ignored and not report.not_in_file
        for layer in ("ip1", "ip2"):
            for a, b in zip(net.params[layer], other.params[layer], strict=True):
                assert np.array_equal(a.data, b.data)


def test_loading_what_does_not_fit_changes_nothing(net_of, tmp_path):
    net_of(MLP.replace("num_output: 2", "num_output: 3")).save(tmp_path / "w.caffemodel")
    net = net_of(MLP)
    before = net.params["ip1"][0].data.copy()
    with pytest.raises(NetdefError, match=r"layer 'ip2': param 0 has shape \(3, 5\) in the file and \(2, 5\) in the net"):
        net.load(tmp_path / "w.caffemodel")
    assert np.array_equal(net.params["ip1"][0].data, before)


def test_load_reports_leftovers_and_strict_refuses(net_of, tmp_path):
    net_of(MLP.replace('name: "ip1"', 'name: "old"')).save(tmp_path / "w.npz")
    net = net_of(MLP)
    report = net.load(tmp_path / "w.npz")
    assert (report.ignored, report.not_in_file) == (["old"], ["ip1"])
    with pytest.raises(NetdefError, match="strict"):
        net.load(tmp_path / "w.npz", strict=True)


def test_a_message_is_as_good_as_a_file(net_of):
    from netdef.config.load import load_net

    message = net_of(MLP).plan.description.located.message
    assert list(netdef.Net(message).blobs) == list(netdef.Net(load_net(message)).blobs) == ["data", "label", "ip1", "ip2", "loss"]
