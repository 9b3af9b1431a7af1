"""Dropout: its two phases, its random numbers, and the battery."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.testing import check_layer

NET = """
    force_backward: true
    layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 100 dim: 100 }} }} }}
    layer {{ name: "{name}" type: "Dropout" bottom: "data" top: "drop" dropout_param {{ dropout_ratio: {ratio} }} }}
"""


def make(ratio=0.4, phase="TRAIN", seed=1, name="drop1"):
    text = NET.format(ratio=ratio, name=name)
    return netdef.Net(parse_text_message(text, "drop.prototxt", "NetParameter"), phase=phase, seed=seed)


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_battery_in_training(ratio):
    check_layer(f'type: "Dropout" dropout_param {{ dropout_ratio: {ratio} }}', [(4, 30)], random=True)


def test_battery_in_the_test_phase():
    report = check_layer('type: "Dropout"', [(4, 3)], lambda x: x, phase="TEST")
    assert {"claims", "in place"} <= set(report.passed)


def test_a_layer_with_phase_test_is_the_identity_in_a_train_net():
    check_layer('type: "Dropout" phase: TEST', [(4, 3)], lambda x: x, phase="TRAIN")


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_drops_the_given_part_and_scales_the_rest(ratio):
    net = make(ratio)
    out = net.forward(data=np.ones((100, 100)))["drop"]
    assert set(np.unique(out)) == {np.float32(0), np.float32(1 / (1 - np.float32(ratio)))}
    assert abs((out == 0).mean() - ratio) < 4 * np.sqrt(ratio * (1 - ratio) / out.size)


def test_the_gradient_passes_where_the_value_did():
    net = make()
    out = net.forward(data=np.ones((100, 100)))["drop"]
    net.backward(drop=np.full((100, 100), 2.0))
    assert np.array_equal(net.blobs["data"].diff, 2 * out)


def test_each_pass_draws_anew_and_the_same_pass_the_same():
    ones = np.ones((100, 100))
    net, again = make(), make()
    passes = [np.array(net.forward(data=ones)["drop"]) for _ in range(3)]
    assert not np.array_equal(passes[0], passes[1])
    again.pass_number = 2
    assert np.array_equal(again.forward(data=ones)["drop"], passes[2])


def test_seed_and_layer_name_choose_the_mask():
    ones = np.ones((100, 100))
    masks = [np.array(make(**k).forward(data=ones)["drop"]) for k in ({}, {"seed": 2}, {"name": "drop2"})]
    assert not np.array_equal(masks[0], masks[1]) and not np.array_equal(masks[0], masks[2])


def test_dropped_values_are_zero_even_if_they_were_not_finite():
    out = make(0.5).forward(data=np.full((100, 100), np.nan))["drop"]
    assert 0.4 < (out == 0).mean() < 0.6 and np.isnan(out[out != 0]).all()


def test_without_scaling_in_training():
    options = 'type: "Dropout" dropout_param { dropout_ratio: 0.25 scale_train: false }'
    check_layer(options, [(4, 30)], random=True)
    report = check_layer(options, [(4, 3)], lambda x: 0.75 * x, phase="TEST")
    assert {"gradients", "in place"} <= set(report.passed)
    out = unscaled(phase="TRAIN").forward(data=np.ones((100, 100)))["drop"]
    assert sorted(np.unique(out)) == pytest.approx([0, 1])


def unscaled(phase, more="scale_train: false"):
    text = NET.format(ratio=f"0.25 {more}", name="drop1")
    return netdef.Net(parse_text_message(text, "drop.prototxt", "NetParameter"), phase=phase, seed=1)


def test_sampling_in_the_test_phase():
    check_layer('type: "Dropout" dropout_param { sample_weights_test: true }', [(4, 30)], random=True, phase="TEST")
    out = unscaled("TEST", "sample_weights_test: true").forward(data=np.ones((100, 100)))["drop"]
    assert sorted(np.unique(out)) == pytest.approx([0, 1 / 0.75])
