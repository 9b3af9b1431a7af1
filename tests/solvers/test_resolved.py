"""The resolved config trains the same run again, from anywhere."""
from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import netdef
from netdef.config.load import load_solver
from netdef.solvers.resolved import SOLVER, resolved

NET = """
name: "two"
layer { name: "rows" type: "Rows" top: "x" top: "y" }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" include { stage: "wide" }
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.5 } } }
layer { name: "ip0" type: "InnerProduct" bottom: "x" top: "ip" exclude { stage: "wide" }
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.5 } } }
layer { name: "loss" type: "HalfSquares" bottom: "ip" bottom: "y" top: "loss" }
"""
OLD = """
name: "old"
layers { name: "rows" type: DUMMY_DATA top: "x" top: "y"
  dummy_data_param { num: 4 channels: 3 height: 1 width: 1 num: 4 channels: 2 height: 1 width: 1
    data_filler { type: "gaussian" } data_filler { type: "gaussian" } } }
layers { name: "ip" type: INNER_PRODUCT bottom: "x" top: "ip" blobs_lr: 1 blobs_lr: 2
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layers { name: "loss" type: EUCLIDEAN_LOSS bottom: "ip" bottom: "y" top: "loss" }
"""


def written(solver, folder, **options):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in resolved(solver, **options).items():
        (folder / name).write_text(text)
    return str(folder / SOLVER)


def learned(solver, n=4):
    solver.step(n)
    return b"".join(p.data.tobytes() for layer in solver.net.params.values() for p in layer)


@pytest.mark.parametrize(("net", "text", "options", "more"), [
    (NET, "momentum: 0.9", {"overrides": ["base_lr=0.03", "type=Adam", "max_iter=7"]}, {}),
    (NET, 'test_iter: 2 test_interval: 2 test_state { stage: "wide" }', {"stages": ["wide"]}, {"stages": ["wide"]}),
    (NET, 'train_state { stage: "wide" }', {"level": 1}, {"level": 1}),
    (OLD, 'lr_policy: "step" gamma: 0.5 stepsize: 2 solver_type: ADAGRAD', {}, {}),
    ("", "net_param {" + NET + "}", {}, {}),
    (NET, 'lr_policy: "plateau" gamma: 0.5 monitor: "train:loss" display: 1 ema_decay: 0.9', {}, {}),
])
def test_the_same_run_again(solver_file, tmp_path, monkeypatch, net, text, options, more):
    first = netdef.Solver(solver_file(net or NET, text), **options)
    path = written(first, tmp_path / "deep/run", **more)
    expected = learned(first)
    monkeypatch.chdir("/")
    again = netdef.Solver(path)
    assert again.net.seed == first.net.seed and [r.name for r in again.net.steps] == [r.name for r in first.net.steps]
    assert len(again.test_nets) == len(first.test_nets)
    assert learned(again) == expected
    assert written(again, tmp_path / "twice") and {
        p.name: p.read_text() for p in (tmp_path / "twice").iterdir()} == {
        p.name: p.read_text() for p in (tmp_path / "deep/run").iterdir()}, "it is resolved already"


def test_it_says_every_default_and_warns_of_nothing(squares, tmp_path, caplog):
    path = written(squares("solver_mode: GPU max_iter: 3"), tmp_path / "run")
    caplog.clear()
    message = load_solver(path).message
    assert not caplog.text
    netdef.Solver(path)
    assert not caplog.text
    assert {f.name for f, _ in message.ListFields()} > {"momentum", "iter_size", "clip_gradients", "type", "ema_decay",
                                                       "average_loss", "snapshot_after_train", "max_iter"}


def test_weights_and_data_become_full_paths(solver_file, tmp_path):
    pytest.importorskip("h5py")
    import h5py

    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["x"], file["y"] = np.ones((8, 3), "f"), np.ones((8, 2), "f")
    (tmp_path / "list.txt").write_text("d.h5\n")
    data = 'layer { name: "rows" type: "HDF5Data" top: "x" top: "y" hdf5_data_param { source: "list.txt" batch_size: 4 } }'
    net = NET.replace('layer { name: "rows" type: "Rows" top: "x" top: "y" }', data)
    solver = netdef.Solver(solver_file(net, ""))
    solver.net.save("a.caffemodel")
    solver = netdef.Solver(solver_file(net, ""), weights="a.caffemodel")
    files = resolved(solver, ["a.caffemodel"])
    assert f'weights: "{tmp_path / "a.caffemodel"}"' in files[SOLVER]
    assert f'source: "{tmp_path / "list.txt"}"' in files["net.prototxt"]
    path = written(solver, tmp_path / "run", weights=["a.caffemodel"])
    os.chdir("/")
    again = netdef.Solver(path)
    assert again.loaded[0].loaded and learned(again) == learned(solver)


def test_python_layers_bring_their_module(solver_file, tmp_path, monkeypatch):
    (tmp_path / "own_layer.py").write_text(
        "import caffe\nclass Half(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].data.shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = bottom[0].data / 2\n"
        "    def backward(self, top, down, bottom): bottom[0].diff[...] = top[0].diff / 2\n")
    net = NET.replace('bottom: "ip" bottom: "y"', 'bottom: "half" bottom: "y"') + (
        'layer { name: "half" type: "Python" bottom: "ip" top: "half" python_param { module: "own_layer" layer: "Half" } }')
    lines = net.strip().splitlines()
    net = "\n".join([*lines[:-2], lines[-1], lines[-2]])
    solver = netdef.Solver(solver_file(net, ""))
    path = written(solver, tmp_path / "run")
    expected = learned(solver)
    Path("own_layer.py").unlink()
    monkeypatch.chdir("/")
    assert learned(netdef.Solver(path)) == expected
