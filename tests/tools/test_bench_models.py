"""tools/bench_models.py and the worker for BVLC Caffe: outputs compared, nets from files, a stand-in for Caffe's module."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"

CAFFE = '''
import re
import numpy as np
TEST, TRAIN, mode = 1, 0, None
def set_mode_cpu():
    global mode
    mode = "cpu"
class Net:
    def __init__(self, text, weights, phase):
        assert mode == "cpu"
        import netdef
        self.net = netdef.Net(text, phase="TEST" if phase == TEST else "TRAIN", weights=weights)
        self.inputs, self.blobs = self.net.inputs, self.net.blobs
    def forward(self):
        assert all(abs(self.blobs[name].data).max() > 0 for name in self.inputs), "inputs are left at zero"
        self.net.forward()
        if WRONG:
            for blob in self.blobs.values():
                blob.data[...] += 1
class SGDSolver:
    def __init__(self, path):
        text = open(path).read()
        assert "momentum: 0.9" in text
        self.net = Net(re.search('net: "(.+)"', text)[1], None, TRAIN)
    def step(self, count):
        assert count == 1
        self.net.forward()
        self.net.net.backward()
'''


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    """Scripts of tools/ import each other by name."""
    monkeypatch.syspath_prepend(str(TOOLS))


@pytest.fixture(params=[False])
def caffe(request, tmp_path, monkeypatch):
    """A module caffe for this process and those it starts, made of netdef; with parameter True its outputs are wrong."""
    folder = tmp_path / "fake"
    folder.mkdir()
    (folder / "caffe.py").write_text(f"WRONG = {request.param}\n{CAFFE}")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))


@pytest.mark.parametrize("what", ["train", "infer"])
def test_pycaffe(what, caffe):
    command = [sys.executable, str(TOOLS / "bench_nets.py"), "pycaffe", "lenet", what, "--batch", "2", "--threads", "1"]
    done = subprocess.run(command, input="2\n\n", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    ready, times = done.stdout.splitlines()
    assert ready.startswith('ready {"first_s"') and len(times.split(",")) == 2


def run_model(tmp_path, only, capsys):
    import bench
    import bench_nets

    text, weights = bench_nets.deploy_files("lenet", 1, tmp_path)
    assert bench.main(["--model", f"digits={text},{weights}", "--only", only, "--seconds", "0.01", "--rounds", "1",
                       "--threads", "1"]) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_a_net_from_files(tmp_path, caffe, capsys):
    out = run_model(tmp_path, "netdef,pycaffe", capsys)
    assert "digits: pycaffe's outputs agree with netdef's: ip2" in out
    assert "## inference of nets from files, 1 thread" in out and "| net            | pycaffe (1) | pycaffe best (1) |" in out


@pytest.mark.parametrize("caffe", [True], indirect=True)
def test_a_peer_with_other_outputs_is_left_out(tmp_path, caffe, capsys):
    out = run_model(tmp_path, "netdef,pycaffe", capsys)
    assert "digits: pycaffe is left out: ip2: off by 1, its largest value is" in out and "geometric mean" not in out


def test_a_net_that_netdef_does_not_run(tmp_path, capsys):
    import bench

    (tmp_path / "a.prototxt").write_text('layer { name: "x" type: "Nonsense" }')
    (tmp_path / "a.caffemodel").write_bytes(b"")
    assert bench.main(["--model", f"a={tmp_path}/a.prototxt,{tmp_path}/a.caffemodel", "--only", "netdef", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "a: netdef does not run it: " in out and "Nonsense" in out


def test_difference():
    import bench_models

    scores = {"prob": np.array([[0.2, 0.8]])}
    assert bench_models.difference(scores, {"prob": np.array([[0.2005, 0.7995]])}) == ""
    assert bench_models.difference(scores, {"prob": np.array([[0.21, 0.79]])}) == "prob: off by 0.01, its largest value is 0.8"
    assert "off by nan" in bench_models.difference(scores, {"prob": np.array([[np.nan, 0.8]])})
    assert "shape (1, 3)" in bench_models.difference(scores, {"prob": np.zeros((1, 3))})


def test_difference_of_detections():
    import bench_models

    first, second, unsure = [0, 1, 0.9, .1, .1, .2, .2], [0, 1, 0.8, .5, .5, .6, .6], [0, 1, 0.1, 0, 0, 1, 1]
    own = {"out": np.array([[[first, second, unsure]]], "f4")}
    assert bench_models.difference(own, {"out": np.array([[[second, first]]], "f4")}) == ""
    assert bench_models.difference(own, {"out": np.array([[[first]]], "f4")}) == "out: 1 detections, netdef has 2"
    moved = [*second[:3], .55, *second[4:]]
    assert "off by 0.05" in bench_models.difference(own, {"out": np.array([[[first, moved]]], "f4")})


def test_what_is_compared_of_a_detector(tmp_path):
    """The scores and places that go into a DetectionOutput too: of noise it may find nothing."""
    import bench_models

    path = tmp_path / "net.prototxt"
    path.write_text("""
        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
        layer { name: "loc/conv" type: "Convolution" bottom: "data" top: "loc"
                convolution_param { num_output: 4 kernel_size: 8 } }
        layer { name: "conf" type: "Convolution" bottom: "data" top: "conf"
                convolution_param { num_output: 2 kernel_size: 8 } }
        layer { name: "flat_loc" type: "Flatten" bottom: "loc" top: "flat_loc" }
        layer { name: "flat_conf" type: "Flatten" bottom: "conf" top: "flat_conf" }
        layer { name: "prior" type: "PriorBox" bottom: "loc" bottom: "data" top: "prior" prior_box_param { min_size: 4 } }
        layer { name: "out" type: "DetectionOutput" bottom: "flat_loc" bottom: "flat_conf" bottom: "prior" top: "out"
                detection_output_param { num_classes: 2 nms_param { nms_threshold: 0.5 } } }""")
    plan = bench_models._plan(str(path))
    assert bench_models._ends(plan) == ["flat_loc", "flat_conf", "out"] and bench_models._top(plan, "loc/conv") == "loc"
    data = bench_models._inputs(plan)["data"]
    assert data.shape == (1, 3, 8, 8) and 20 < data.std() < 80
