"""Frozen nets that keep their outputs only: BatchNorm and Scale go into the weights before them."""
from __future__ import annotations

import numpy as np
import pytest

HEAD = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }\n'
CONV = """layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 5 kernel_size: 3
  group: %d bias_term: %s weight_filler { type: "xavier" } bias_filler { type: "gaussian" std: 1 } } }
"""
BN = 'layer { name: "bn" type: "BatchNorm" bottom: "c" top: "%s" }\n'
SCALE = 'layer { name: "s" type: "Scale" bottom: "%s" top: "s" scale_param { bias_term: true } }\n'
RELU = 'layer { name: "r" type: "ReLU" bottom: "s" top: "r" relu_param { negative_slope: 0.1 } }\n'
X = np.random.default_rng(0).normal(size=(2, 3, 8, 8))


def randomise(net):
    rng = np.random.default_rng(1)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = rng.uniform(0.5, 1.5, blob.shape)


@pytest.mark.parametrize("bias", ["true", "false"])
@pytest.mark.parametrize("between", ["c", "bn"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-14)])
def test_the_same_numbers_but_for_rounding(net_of, tmp_path, bias, between, dtype, tolerance):
    text = HEAD + CONV % (1, bias) + BN % between + SCALE % between + RELU
    plain = net_of(text, dtype=dtype, fuse=False)
    randomise(plain)
    plain.save(tmp_path / "w.npz")
    frozen = net_of(text, dtype=dtype, weights=tmp_path / "w.npz", keep="outputs", freeze=True)
    assert [item.name for item in frozen.executor.pieces] == ["x", "c + bn + s + r"]
    for _ in range(2):
        want, got = plain.forward(x=X)["r"], frozen.forward(x=X)["r"]
        assert np.abs(got - want).max() <= tolerance * np.abs(want).max() and got.dtype == dtype
    made = frozen.executor.pieces[1].made
    frozen.forward(x=X)
    assert frozen.executor.pieces[1].made is made  # derived once
    assert np.array_equal(frozen.params["c"][0].data, plain.params["c"][0].data)
    with frozen.hooks.added(after_forward=lambda run: None):
        assert np.array_equal(frozen.forward(x=X)["r"], want)  # layer by layer


def test_params_that_may_change_are_not_folded(net_of):
    text = HEAD + CONV % (1, "true") + SCALE % "c" + RELU
    frozen, other = net_of(text, keep="outputs", freeze=True), net_of(text)
    frozen.share_params_with(other)
    frozen.forward(x=X)
    other.params["s"][0].data[...] = 3
    assert np.array_equal(frozen.forward(x=X)["r"], other.forward(x=X)["r"])
    assert all("+" not in item.name for item in frozen.executor.pieces)
