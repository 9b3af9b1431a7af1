"""keep="outputs" and names: the same numbers, with the memory of the blobs between shared; what can still be asked for."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.errors import NetdefError
from netdef.runtime.blobtable import NotKept

NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 2 dim: 4 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 4
  weight_filler { type: "xavier" } } }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" inner_product_param { num_output: 4
  weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }
layer { name: "s" type: "Sigmoid" bottom: "sum" top: "s" }
layer { name: "loss" type: "EuclideanLoss" bottom: "s" bottom: "t" top: "loss" }
"""
X, T = np.random.default_rng(0).normal(size=(2, 3)), np.random.default_rng(1).normal(size=(2, 4))


def diffs(net):
    return [blob.diff.copy() for blob in net.param_blobs]


@pytest.mark.parametrize("phase", ["TEST", "TRAIN"])
def test_outputs_are_the_same_and_the_rest_shares_memory(net_of, phase):
    everything, outputs = net_of(NET, phase=phase), net_of(NET, phase=phase, keep="outputs")
    for _ in range(2):
        want, got = everything.forward(x=X, t=T), outputs.forward(x=X, t=T)
        assert np.array_equal(want["loss"], got["loss"]) and outputs.loss == everything.loss
    assert sorted(outputs.blobs) == ["loss", "t", "x"]
    layout = outputs.memory.layout
    assert layout.size < layout.unshared + 128 * len(layout.tenants)
    with pytest.raises(NotKept, match="blob 'a' is not kept"):
        outputs.blobs["a"]


def test_names_are_kept_beside_the_outputs(net_of):
    everything, some = net_of(NET), net_of(NET, keep=["b"])
    everything.forward(x=X, t=T)
    some.forward(x=X, t=T)
    assert sorted(some.blobs) == ["b", "loss", "t", "x"]
    assert np.array_equal(some.blobs["b"].data, everything.blobs["b"].data)
    with pytest.raises(NetdefError, match="keep: .* the net has no blob 'sume'.*did you mean 'sum'"):
        net_of(NET, keep=["sume"])


def test_backward_runs_in_train_once_a_forward(net_of):
    net, plain = net_of(NET, phase="TRAIN", keep="outputs"), net_of(NET, phase="TRAIN")
    for each in (net, plain):
        each.forward(x=X, t=T)
        each.backward()
    assert all(map(np.array_equal, diffs(net), diffs(plain)))
    with pytest.raises(NetdefError, match="it has run since the last forward pass"):
        net.backward()
    net.forward(x=X, t=T)
    with pytest.raises(NetdefError, match="kept nothing for them"), net.hooks.added(after_backward=print):
        net.backward()
    with pytest.raises(NetdefError, match="start needs the blobs of the pass before"):
        net.forward(start="b")
    test = net_of(NET, keep="outputs")
    test.forward(x=X, t=T)
    with pytest.raises(NetdefError, match="forgets in the TEST phase"):
        test.backward()


def test_hooks_see_right_values_and_change_no_bit(net_of):
    seen = {}
    nets = {keep: net_of(NET, phase="TRAIN", keep=keep) for keep in ("all", "outputs")}
    for keep, net in nets.items():
        found = seen[keep] = []

        def look(run, found=found):
            found.append((run.name, [b.data.copy() for b in (*run.tops, *run.bottoms)]))

        def look_back(run, found=found):
            found.append((run.name, [b.diff.copy() for b, n in zip(run.bottoms, run.need.bottoms, strict=True) if n]))

        with net.hooks.added(after_forward=look, after_backward=look_back):
            net.forward(x=X, t=T)
            net.backward()
    assert len(seen["all"]) == 14
    for (name, one), (other, two) in zip(seen["all"], seen["outputs"], strict=True):
        assert name == other and all(map(np.array_equal, one, two)), name
    before = diffs(nets["outputs"])
    nets["outputs"].clear_param_diffs()
    nets["outputs"].forward(x=X, t=T)
    nets["outputs"].backward()
    assert all(map(np.array_equal, before, diffs(nets["outputs"])))


def test_hooks_that_need_no_parts_see_fused_steps(net_of):
    net, names = net_of(NET, phase="TRAIN"), []
    handle = net.hooks.add("after_forward", lambda step: names.append(step.name), parts=False)
    net.forward(x=X, t=T)
    assert "a + r" in names and "r" not in names
    handle.remove()
    assert not net.hooks.any and net.hooks.parts == 0


def test_hooks_that_come_after_forward(net_of):
    """Backward goes layer by layer then, on what the fused forward left."""
    net, other = net_of(NET, phase="TRAIN"), net_of(NET, phase="TRAIN", fuse=False)
    for each in (net, other):
        each.forward(x=X, t=T)
    names = []
    with net.hooks.added(after_backward=lambda run: names.append(run.name)):
        net.backward()
    other.backward()
    assert names == ["loss", "s", "sum", "b", "r", "a"] and all(map(np.array_equal, diffs(net), diffs(other)))


def test_recall_shows_the_last_pass(net_of):
    net, other = net_of(NET, phase="TRAIN", keep="outputs"), net_of(NET, phase="TRAIN")
    for each in (net, other):
        each.forward(x=X, t=T)
        each.backward()
    before = diffs(net)
    net.recall()
    for name in ("a", "b", "sum", "s", "loss"):
        assert np.array_equal(net.blobs[name].data, other.blobs[name].data), name
        assert np.array_equal(net.blobs[name].diff, other.blobs[name].diff), name
    assert all(map(np.array_equal, before, diffs(net)))
    net.forward(x=X, t=T)
    with pytest.raises(NotKept):
        net.blobs["b"]
    net.keep_all()
    net.forward(x=X, t=T)
    assert np.array_equal(net.blobs["b"].data, other.blobs["b"].data)


def test_the_batch_may_change(net_of):
    net, other = net_of(NET, phase="TRAIN", keep="outputs"), net_of(NET, phase="TRAIN")
    for n in (2, 5, 1, 0, 5):
        x, t = np.random.default_rng(n).normal(size=(n, 3)), np.ones((n, 4))
        for each in (net, other):
            each.clear_param_diffs()
            with np.errstate(all="ignore"):
                each.forward(x=x, t=t)
                each.backward()
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(diffs(net), diffs(other), strict=True))


def test_parts_of_a_pass(net_of):
    """start and end may stand anywhere where everything is kept, and behind the inputs elsewhere."""
    plain, fused, shared = (net_of(NET, phase="TRAIN", **o) for o in ({"fuse": False}, {}, {"keep": "outputs"}))
    for each in (plain, fused, shared):
        each.forward(x=X, t=T)
        each.forward(start="a")
        assert each.executor.fused == (each is not plain)
        each.backward(end="b")
        assert np.array_equal(diffs(each)[2], diffs(plain)[2]) and not diffs(each)[0].any()
    for each in (plain, fused):
        each.forward(end="a")
        assert not each.executor.fused
        each.forward(start="r")
        each.backward(end="r")
        each.backward(start="a")
    assert all(map(np.array_equal, diffs(plain), diffs(fused)))


def test_the_environment_turns_fusions_off(net_of, monkeypatch):
    monkeypatch.setenv("NETDEF_FUSE", "0")
    net = net_of(NET, phase="TRAIN")
    net.forward(x=X, t=T)
    assert not net.executor.fused and all(len(item.runs) == 1 for item in net.executor.pieces)
