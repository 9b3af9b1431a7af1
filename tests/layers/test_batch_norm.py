"""BatchNorm against its formula, what it stores, Caffe's traps 5 and 6, and the battery."""
import logging

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError
from netdef.testing import check_layer

STATISTICS = (0, 1, 2)


def axes(x):
    return tuple(i for i in range(x.ndim) if i != 1)


def by_channel(values, x):
    return np.reshape(values, (1, -1) + (1,) * (x.ndim - 2)) if x.ndim > 1 else values


def by_batch(x, *params, eps=1e-5):
    mean, var = x.mean(axes(x), keepdims=True), x.var(axes(x), keepdims=True)
    return (x - mean) / np.sqrt(var + eps)


def by_stored(x, mean, var, factor, eps=1e-5):
    return (x - by_channel(mean / factor, x)) / np.sqrt(by_channel(var / factor, x) + eps)


@pytest.mark.parametrize("shape", [(4, 3), (3, 2, 3), (2, 2, 3, 2), (2, 2, 1, 2, 3)])
def test_battery(shape):
    report = check_layer('type: "BatchNorm" batch_norm_param { eps: 0.01 }', [shape],
                         lambda x, *p: by_batch(x, eps=float(np.float32(0.01))), statistics=STATISTICS)
    assert {"gradients", "in place", "backward_reads", "constraints"} <= set(report.passed)


@pytest.mark.parametrize("config, phase", [('type: "BatchNorm"', "TEST"),
                                           ('type: "BatchNorm" batch_norm_param { use_global_stats: true }', "TRAIN")])
def test_battery_by_stored_statistics(config, phase):
    params = [np.array([0.5, -1.0]), np.array([3.0, 1.0]), np.array([2.0])]
    report = check_layer(config, [(3, 2, 2, 2)], lambda x, *p: by_stored(x, *p, eps=float(np.float32(1e-5))),
                         params=params, phase=phase, statistics=STATISTICS)
    assert {"gradients", "in place"} <= set(report.passed)


def test_a_bottom_of_one_axis_is_one_channel():
    check_layer('type: "BatchNorm" batch_norm_param { eps: 0.01 }', [(5,)],
                lambda x, *p: (x - x.mean()) / np.sqrt(x.var() + float(np.float32(0.01))), statistics=STATISTICS)


def build(options="", shape=(4, 3, 2, 2), phase="TRAIN", param="", **kwargs):
    dims = " ".join(f"dim: {n}" for n in shape)
    text = f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
layer {{ name: "bn" type: "BatchNorm" bottom: "x" top: "y" {param} batch_norm_param {{ {options} }} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), phase=phase, **kwargs)


def draw(shape=(4, 3, 2, 2), seed=0):
    return np.random.default_rng(seed).normal(3, 2, shape)


def test_trap_05_three_blobs_of_sums_biased_to_normalise_unbiased_to_store():
    net, x, f = build("moving_average_fraction: 0.9", dtype="float64"), draw(), float(np.float32(0.9))
    assert [p.shape for p in net.params["bn"]] == [(3,), (3,), (1,)]
    y = net.forward(x=x)["y"]
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0, atol=1e-3)
    np.testing.assert_allclose(y.var((0, 2, 3)), 1, atol=1e-3)
    second = draw(seed=1)
    net.forward(x=second)
    mean, var, factor = (p.data for p in net.params["bn"])
    np.testing.assert_allclose(mean, f * x.mean((0, 2, 3)) + second.mean((0, 2, 3)))
    np.testing.assert_allclose(var, f * x.var((0, 2, 3), ddof=1) + second.var((0, 2, 3), ddof=1))
    np.testing.assert_allclose(factor, f + 1)


def test_trap_05_stored_sums_are_divided_by_the_factor():
    net = build(phase="TEST", dtype="float64")
    for blob, value in zip(net.params["bn"], (6.0, 8.0, 2.0), strict=True):
        blob.data[...] = value
    y = net.forward(x=np.full((4, 3, 2, 2), 5.0))["y"]
    np.testing.assert_allclose(y, (5 - 3) / np.sqrt(4 + 1e-5), rtol=1e-6)


def test_trap_05_no_statistics_yet_gives_caffes_value_and_one_warning(caplog):
    net = build(phase="TEST")
    with caplog.at_level(logging.WARNING, logger="netdef"):
        for _ in range(2):
            y = net.forward(x=np.ones((4, 3, 2, 2)))["y"]
    np.testing.assert_allclose(y, 316.2278, rtol=1e-5)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("net.prototxt:2:")
    assert "layer 'bn' (BatchNorm): use_global_stats: there are no statistics yet (their factor is 0)" in caplog.text


@pytest.mark.parametrize("count", [1, 2])
def test_trap_05_one_or_two_learning_params_are_an_error(count):
    with pytest.raises(FieldError, match=r"net.prototxt:2:\d+: error: layer 'bn' \(BatchNorm\): param 0 is a statistic "
                                         r"that no solver may move: expected lr_mult 0, got 2"):
        build(param="param { lr_mult: 2 } " * count)
    with pytest.raises(FieldError, match="param 0 is a statistic.*got 1;"):
        build(param='param { name: "shared" } ' * count)
    build(param="param { lr_mult: 0 } " * count)


def test_trap_05_three_learning_params_are_upgraded_and_none_at_all_never_learn():
    for param in ("", "param { lr_mult: 1 } param { lr_mult: 1 } param { lr_mult: 1 }"):
        net = build(param=param)
        assert [(p.lr_mult, p.decay_mult, p.learns) for p in net.plan.params] == [(0, 0, False)] * 3
        assert not net.plan.backward_order


def test_statistics_get_no_gradient_even_with_force_backward():
    text = """force_backward: true
        layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y" }"""
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), phase="TRAIN")
    assert net.steps[-1].need.bottoms == (True,)
    assert net.steps[-1].need.params == (False, False, False)


@pytest.mark.parametrize("options, phase, stored", [
    ("", "TRAIN", False), ("", "TEST", True), ("use_global_stats: true", "TRAIN", True),
    ("use_global_stats: false", "TEST", False)])
def test_trap_06_use_global_stats_follows_the_phase_unless_given(options, phase, stored):
    net, x = build(options, phase=phase), draw()
    for blob, value in zip(net.params["bn"], (1.0, 4.0, 1.0), strict=True):
        blob.data[...] = value
    y = net.forward(x=x)["y"]
    want = by_stored(x, 1.0, 4.0, 1.0) if stored else by_batch(x)
    np.testing.assert_allclose(y, want, atol=1e-4)
    assert (net.params["bn"][2].data[0] == 1) is np.bool_(stored)  # only a batch's own statistics are noted


def test_an_empty_batch_and_frozen_params_leave_the_statistics_alone():
    net = build()
    net.forward(x=np.zeros((0, 3, 2, 2)))
    assert not any(p.data.any() for p in net.params["bn"])
    frozen = build(freeze=True)
    np.testing.assert_allclose(frozen.forward(x=draw())["y"], by_batch(draw()), atol=1e-4)
    assert not any(p.data.any() for p in frozen.params["bn"])


def test_one_value_a_channel_stores_its_variance_as_zero():
    net = build(shape=(1, 3))
    assert not net.forward(x=np.array([[1.0, 2, 3]]))["y"].any()
    assert net.params["bn"][1].data.tolist() == [0, 0, 0]


def test_means_far_from_zero_keep_their_variance():
    x = 1000 + np.random.default_rng(0).normal(size=(64, 2, 8, 8))
    y = build(shape=x.shape).forward(x=x)["y"]
    x32 = x.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(y, by_batch(x32), atol=2e-3)
    np.testing.assert_allclose(y.var((0, 2, 3)), 1, atol=1e-3)


def test_a_solver_leaves_the_statistics_to_forward(tmp_path):
    (tmp_path / "net.prototxt").write_text("""
        layer { name: "data" type: "DummyData" top: "x" top: "t"
                dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 }
                                   data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } } }
        layer { name: "ip" type: "InnerProduct" bottom: "x" top: "h"
                inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
        layer { name: "bn" type: "BatchNorm" bottom: "h" top: "h" }
        layer { name: "loss" type: "EuclideanLoss" bottom: "h" bottom: "t" top: "loss" }""")
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" weight_decay: 0.5 max_iter: 2 random_seed: 1')
    solver = netdef.Solver(str(tmp_path / "solver.prototxt"))
    before = solver.net.params["ip"][0].data.copy()
    solver.step(2)
    assert solver.net.params["bn"][2].data[0] == np.float32(0.999) + 1
    assert not np.array_equal(before, solver.net.params["ip"][0].data)
