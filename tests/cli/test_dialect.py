"""``--dialect`` of every command that reads a net: a .caffemodel of NVIDIA's Caffe, in which only the user knows what
a number means. Its loss smooths labels, under a number that R-FCN and SegNet give to other things.
"""
from __future__ import annotations

import struct

import numpy as np
import pytest

import netdef
from netdef.config.blobproto import tagged
from netdef.config.load import parse_text_message
from netdef.config.wire import FIXED32

NET = '''name: "n"
layer { name: "d" type: "%s" top: "x" %s }
layer { name: "l" type: "DummyData" top: "label" dummy_data_param { shape { dim: %s } data_filler { value: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_param { label_smoothing: 0.25 } }'''
DUMMY = ("DummyData", "dummy_data_param { shape { dim: 2 dim: 3 } data_filler { value: 1 } }", 2)
INPUT = ("Input", "input_param { shape { dim: 1 dim: 3 } }", 1)
PLAIN, SMOOTHED = 0.110206, 0.672706
DOUBT = "field 4 of loss_param may be pre_fixed_normalizer (R-FCN) or class_weighting (SegNet) or label_smoothing (NVIDIA Caffe)"


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """The file, with data of its own or with an input."""
    monkeypatch.chdir(tmp_path)

    def make(data=DUMMY):
        net = netdef.Net(parse_text_message(NET % data, "n.prototxt", "NetParameter"))
        net.params["ip"][0].data[...] = np.arange(9).reshape(3, 3) / 4
        net.save("n.caffemodel")
        raw = (tmp_path / "n.caffemodel").read_bytes()
        ours, value = tagged(50000, FIXED32), struct.pack("<f", 0.25)
        number = bytes([tagged(4, FIXED32)[0] | 0x80] + [0x80] * (len(ours) - 2) + [0])  # as long, so that no length changes
        assert raw.count(ours + value) == 1
        (tmp_path / "n.caffemodel").write_bytes(raw.replace(ours + value, number + value))
        return "n.caffemodel"

    return make


@pytest.mark.parametrize(("dialect", "loss"), [((), PLAIN), (("--dialect", "nvcaffe"), SMOOTHED), (("--dialect", "bvlc"), PLAIN)])
def test_test(run, theirs, dialect, loss):
    ran = run("test", theirs(), "-n", 1, "--no-batches", *dialect)
    assert ran.status == 0 and f"Loss: {loss:g}" in ran.out
    assert (DOUBT in ran.err) == (not dialect)


@pytest.mark.parametrize("dialect", [(), ("--dialect", "nvcaffe")])
def test_predict_and_extract(run, theirs, dialect):
    ran = run("predict", theirs(INPUT), "--input", "x=1,1,1", "--output", "ip", "--format", "json", "--task", "raw", *dialect)
    assert ran.status == 0 and "0.75" in ran.out and (DOUBT in ran.err) == (not dialect)
    ran = run("extract", theirs(), "--blob", "ip", "--count", 2, "--out", "o.npz", *dialect)
    assert ran.status == 0 and (DOUBT in ran.err) == (not dialect)


@pytest.mark.parametrize("command", [
    ("time", "-n", 1, "--phase", "TEST", "--forward-only"), ("grads", "--phase", "TEST"), ("lint",),
    ("check", "--phase", "TEST", "--no-float32"), ("summary", "--phase", "TEST"), ("explain", "--phase", "TEST"),
], ids=lambda c: c[0])
def test_all_others(run, theirs, command):
    ran = run(command[0], theirs(), *command[1:], "--dialect", "nvcaffe")
    assert ran.status == (1 if command[0] == "lint" and "warning" in ran.out else 0) and "may be" not in ran.err
    if command[0] == "grads":
        assert f"loss {SMOOTHED:.6f}" in ran.out


@pytest.mark.parametrize("command", [("test",), ("predict",), ("extract", "--blob", "x", "--out", "o.npz"), ("time",), ("grads",),
                                     ("check",), ("summary",), ("explain",), ("lint",), ("data", "show")], ids=lambda c: c[-1])
def test_a_dialect_that_is_none(run, theirs, command):
    ran = run(*command, theirs(), "--dialect", "nvcafe")
    assert ran.status == 2 and "--dialect: expected one of bvlc, ssd" in ran.err and "did you mean 'nvcaffe'?" in ran.err


def test_a_solver_names_its_nets_itself(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "n.prototxt").write_text(NET % DUMMY)
    (tmp_path / "s.prototxt").write_text('net: "n.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 1')
    ran = run("grads", "s.prototxt", "--dialect", "nvcaffe")
    assert ran.status == 0 and "iteration 0" in ran.out
