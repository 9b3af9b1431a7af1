"""Probes: what they cut a net down to, and whether their gradients are right."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.errors import NetdefError, NumericalError
from netdef.probe.subject import Probe, linked
from netdef.runtime.net import Net

TWO = """
layers:
  - a: {Input: {shape: {dim: [1, 3]}}}
  - b: {Input: {shape: {dim: [1, 3]}}}
  - sum: {Eltwise: {}, bottom: [a, b]}
  - ip: {InnerProduct: {num_output: 2, weight_filler: {type: xavier}}}
"""
FAN = """
layers:
  - data: {Input: {shape: {dim: [1, 4]}}}
  - h: {InnerProduct: {num_output: 5, weight_filler: {type: gaussian, std: 1}}}
  - s: {Sigmoid: {}, bottom: h}
  - t: {TanH: {}, bottom: h}
  - both: {Concat: {}, bottom: [s, t]}
  - out: {InnerProduct: {num_output: 2, weight_filler: {type: gaussian, std: 1}}}
"""
STOPPED = """
layers:
  - data: {Input: {shape: {dim: [1, 4]}}}
  - ip: {InnerProduct: {num_output: 3}}
  - best: {ArgMax: {}}
  - y: {Power: {scale: 2}}
"""


def slope_by_differences(probe, x, seed, direction, step=1e-5):
    return float(((probe.forward(x + step * direction) - probe.forward(x - step * direction)) * seed).sum() / (2 * step))


@pytest.mark.parametrize("blob", [None, "prob", "score", "pool1", "conv1"])
def test_gradients_are_those_of_differences(small, blob):
    probe = Probe(*small, blob=blob, dtype="float64")
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (2, *probe.shape))
    values = probe.forward(x)
    seed, direction = rng.standard_normal(values.shape), rng.standard_normal(x.shape)
    got = float((probe.gradient(x, lambda v: seed)[1] * direction).sum())
    assert got == pytest.approx(slope_by_differences(probe, x, seed, direction), rel=1e-5)


@pytest.mark.parametrize("blob", ["h", "out", "both", "s"])
def test_a_blob_that_several_layers_read(net_of, blob):
    probe = Probe(*net_of(FAN), blob=blob, dtype="float64")
    rng = np.random.default_rng(1)
    x, direction = rng.standard_normal((2, 1, 4))
    seed = rng.standard_normal(probe.forward(x).shape)
    assert float((probe.backward(seed) * direction).sum()) == pytest.approx(
        slope_by_differences(probe, x, seed, direction), rel=1e-6)


def test_what_is_cut_off(small):
    probe = Probe(*small)
    assert (probe.blob, probe.link, probe.classes) == ("score", "softmax", 3)
    assert [run.name for run in Probe(*small, blob="conv1").net.steps] == ["data", "conv1", "relu1"]
    whole = Probe(*small, scores=False)
    assert (whole.blob, whole.link) == ("prob", "")
    x = np.random.default_rng(0).random((1, 1, 8, 8))
    assert probe.probabilities(probe.forward(x)) == pytest.approx(whole.forward(x), abs=1e-6)
    assert whole.forward(x) == pytest.approx(Net(small[0], weights=small[1]).forward(data=x)["prob"], abs=1e-6)


def test_no_gradients_of_params(small):
    probe = Probe(*small)
    probe.forward(np.ones((1, 1, 8, 8)))
    probe.backward(np.ones((1, 3)))
    assert not any(blob.has_diff and blob.diff.any() for blob in probe.net.param_blobs)


def test_a_train_net_gives_its_deploy_net():
    probe = Probe("builtin:lenet", shapes=None)
    assert (probe.shape, probe.blob, probe.link) == ((1, 28, 28), "ip2", "softmax")


def test_guided_gradients_are_of_positive_parts_only(small):
    probe = Probe(*small, dtype="float64")
    x = np.random.default_rng(3).random((1, 1, 8, 8))
    seed = np.array([[1.0, 0, 0]])
    plain = probe.gradient(x, lambda v: seed)[1]
    with probe.guided():
        guided = probe.gradient(x, lambda v: seed)[1]
    again = probe.gradient(x, lambda v: seed)[1]
    # by hand: the gradient of conv1 with its negative part dropped, taken through conv1
    after = Probe(*small, blob="conv1", dtype="float64")
    top = Probe(*small, dtype="float64")
    top.forward(x)
    top.backward(seed)
    kept: list[np.ndarray] = []
    with top.net.hooks.added(before_backward=lambda run: kept.append(run.tops[0].diff.copy()) if run.name == "relu1" else None):
        top.forward(x)
        top.backward(seed)
    wanted = after.gradient(x, lambda v: np.maximum(kept[0], 0))[1]
    assert guided == pytest.approx(wanted, abs=1e-12)
    assert (again == plain).all() and np.abs(guided - plain).max() > 1e-3


def test_two_inputs(net_of):
    net = net_of(TWO)
    with pytest.raises(NetdefError, match="expected one input below the blob, got 2: a, b"):
        Probe(*net)
    probe = Probe(*net, input="a")
    probe.fix(b=[1, 2, 3])
    assert probe.forward(np.zeros((1, 3))) == pytest.approx(Probe(*net, input="b").forward(np.array([[1.0, 2, 3]])))
    with pytest.raises(NetdefError, match="no input 'c'"):
        probe.fix(c=1)
    with pytest.raises(NetdefError, match="expected 3 values, got 2"):
        probe.fix(b=[1, 2])
    with pytest.raises(NetdefError, match="no input 'x'"):
        Probe(*net, input="x")


def test_mistakes(small, net_of):
    with pytest.raises(NetdefError, match="no blob 'scores'; did you mean 'score'"):
        Probe(*small, blob="scores")
    with pytest.raises(NetdefError, match="'data' is the input itself"):
        Probe(*small, blob="data")
    with pytest.raises(NetdefError, match="no gradient gets from 'y' to the input 'data'") as error:
        Probe(net_of(STOPPED, name="stopped")[0])
    assert any("ArgMax" in note for note in error.value.notes)
    with pytest.raises(NumericalError, match="not finite"):
        broken = Probe(*small)
        broken.net.params["score"][1].data[0] = np.nan
        broken.forward(np.zeros((1, 1, 8, 8)))


def test_linked():
    scores = np.array([[1000.0, 0.0], [0.0, 0.0]])
    assert linked(scores, "softmax").tolist() == [[1, 0], [0.5, 0.5]]
    assert linked(scores, "sigmoid").tolist() == [[1, 0.5], [0.5, 0.5]]
    assert linked(scores, "") is scores
