"""Recordings: keys, parts of shared params, files of one pass and of several, comparing."""
from __future__ import annotations

import numpy as np
import pytest

import netdef
from netdef.debug.compare import differences
from netdef.debug.recording import Recorder, read, record, write_together
from netdef.debug.samples import norms_table, sample_norms
from netdef.debug.show import show_layer
from netdef.errors import NetdefError

SHARED = '''
layer { name: "d" type: "DummyData" top: "x" top: "t" dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 3 }
  data_filler { type: "gaussian" } data_filler { type: "gaussian" } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" }
  inner_product_param { num_output: 3 bias_term: false weight_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" }
  inner_product_param { num_output: 3 bias_term: false } }
layer { name: "c" type: "InnerProduct" bottom: "b" top: "c" param { name: "w" }
  inner_product_param { num_output: 3 bias_term: false } }
layer { name: "loss" type: "EuclideanLoss" bottom: "c" bottom: "t" top: "loss" }
'''


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(SHARED)
    return netdef.Net(str(path), phase="TRAIN", dtype="float64", seed=3)


def run(net):
    net.clear_param_diffs()
    net.forward()
    net.backward()


def test_three_uses_three_parts_and_their_sum(net):
    recorder = Recorder(net)
    run(net)
    recording = recorder.take()
    parts = [recording.of(layer, 0, "part") for layer in "abc"]
    np.testing.assert_allclose(sum(parts), recording.of("a", 0, "diff"), rtol=1e-12)
    assert all(np.abs(p).max() > 0 for p in parts)
    run(net)
    again = recorder.take()
    np.testing.assert_allclose(sum(again.of(layer, 0, "part") for layer in "abc"), again.of("a", 0, "diff"), rtol=1e-12)
    shown = show_layer(net.plan, recording, "b")
    assert "shared by 3 uses" in shown and "    sum  " in shown
    recorder.close()


def test_files_of_one_pass_and_of_several(net, tmp_path):
    recordings = []
    for i in range(3):
        run(net)
        recordings.append(record(net, i))
        recordings[-1].write(tmp_path / f"iter_{i:06d}.npz")
    write_together(recordings, tmp_path / "all.npz")
    for found in (read(tmp_path), read(tmp_path / "all.npz")):
        assert [r.iteration for r in found] == [0, 1, 2]
        assert [r.loss for r in found] == [r.loss for r in recordings]
        for mine, theirs in zip(found, recordings, strict=True):
            assert not differences(net.plan, mine, theirs)
            assert "InnerProduct" in mine.net_text
    with np.load(tmp_path / "all.npz") as file:
        assert file["blob/a/diff"].shape == (3, 4, 3)


def test_reading_what_is_no_recording(tmp_path):
    with pytest.raises(NetdefError, match="holds no recording"):
        read(tmp_path)
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(NetdefError, match="is no recording"):
        read(tmp_path / "x.npz")


def test_the_first_difference_is_where_they_part(net):
    run(net)
    mine = record(net)
    net.params["b"][0].data[0, 1] += 0.5
    state = net.state()
    state["pass_number"] -= 1
    net.set_state(state)
    run(net)
    found = differences(net.plan, mine, record(net))
    assert (found[0].layer, found[0].what, found[0].where) == ("a", "param a 0 data", (0, 1))
    assert "differs by" in str(found[0])


def test_item_norms_add_up_to_the_batch(net):
    run(net)
    total = net.params["a"][0].diff.copy()
    norms = sample_norms(net)
    assert norms.shape == (4,) and (norms > 0).all()
    assert np.array_equal(net.params["a"][0].diff, total)
    assert norms.sum() >= np.linalg.norm(total) - 1e-12  # the triangle's inequality
    assert "item" in norms_table(norms)


def test_one_items_norm_is_that_of_a_batch_with_only_its_loss(net):
    run(net)
    norms = sample_norms(net)
    net.hooks.add("after_backward", lambda s: s.bottoms[0].diff[1:].fill(0) if s.name == "loss" else None)
    net.clear_param_diffs()
    net.backward()
    assert np.linalg.norm(net.params["a"][0].diff) == pytest.approx(norms[0])


def test_show_filters_as_shades(tmp_path):
    path = tmp_path / "n.prototxt"
    path.write_text('''layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 1 dim: 1 dim: 5 dim: 5 }
  data_filler { type: "gaussian" } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv" loss_weight: 1
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }''')
    net = netdef.Net(str(path), phase="TRAIN", seed=1)
    run(net)
    text = show_layer(net.plan, record(net), "conv")
    assert "|g| of planes 0 to 1 of 2" in text and "█" in text
    with pytest.raises(NetdefError, match="no layer 'cnov'; did you mean 'conv'"):
        show_layer(net.plan, record(net), "cnov")
