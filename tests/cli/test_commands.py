"""Every command on nets that come with netdef."""
from __future__ import annotations

import numpy as np
import pytest

SET = ("--set", "max_iter=4", "--set", "test_interval=2", "--set", "test_iter=[2]", "--set", "display=1")


def test_new_writes_files_that_train(run, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = model("bcd7seg")
    ran = run("train", folder / "solver.yaml", *SET)
    assert ran.status == 0, ran.err
    assert "Iteration 0, loss = " in ran.out or "Iteration 0 (" in ran.out
    assert "done after 4 iterations" in ran.out
    saved = next(line for line in ran.out.splitlines() if line.startswith("saved: ")).split()[-1]
    assert (tmp_path / saved).exists()
    assert f"next:   netdef grads {folder / 'solver.yaml'} --weights {saved}" in ran.out


def test_new_never_overwrites(run, model):
    folder = model("logreg")
    ran = run("new", "mlp", folder)
    assert ran.status == 1
    assert "exists and is not an empty folder; nothing was written" in ran.err


@pytest.mark.parametrize("stage, shows", [("tree", "layer {"), ("description", "type"), ("shapes", "multiply-adds"),
                                          ("plan", "backward: ")])
def test_explain(run, model, stage, shows):
    ran = run("explain", model("logreg") / "net.yaml", "--stage", stage)
    assert ran.status == 0, ran.err
    assert shows in ran.out


def test_summary(run):
    ran = run("summary", "builtin:lenet", "--phase", "TEST")
    assert ran.status == 0, ran.err
    assert "params         431,080" in ran.out


def test_convert_there_and_back(run, model, tmp_path):
    net = model("mlp") / "net.yaml"
    assert run("convert", net, tmp_path / "a.prototxt").status == 0
    assert run("convert", tmp_path / "a.prototxt", tmp_path / "b.yaml").status == 0
    assert run("convert", tmp_path / "b.yaml", tmp_path / "c.prototxt").status == 0
    assert (tmp_path / "a.prototxt").read_text() == (tmp_path / "c.prototxt").read_text()
    assert run("convert", net).out == (tmp_path / "a.prototxt").read_text()


def test_grads_of_a_net_and_of_a_solver(run, model, tmp_path):
    folder = model("logreg")
    ran = run("grads", folder / "net.yaml", "--out", tmp_path / "a")
    assert ran.status == 0, ran.err
    assert "update/weight" in ran.out
    with np.load(tmp_path / "a" / "iter_000000.npz") as arrays:
        assert {"loss", "iteration", "net"} <= set(arrays.files)
        params = [k for k in arrays.files if k.startswith("param/") and k.endswith("/diff")]
        assert params and all(np.isfinite(arrays[k]).all() for k in params)
    ran = run("grads", folder / "solver.yaml", "-n", 2, "--out", tmp_path / "b")
    assert ran.status == 0, ran.err
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == ["iter_000000.npz", "iter_000001.npz"]
    with np.load(tmp_path / "b" / "iter_000001.npz") as arrays:
        assert any(k.endswith("/update") for k in arrays.files)


def test_grads_is_the_same_every_time(run, model):
    folder = model("mlp")
    assert run("grads", folder / "net.yaml").out == run("grads", folder / "net.yaml").out


def test_grads_says_why_there_are_none(run, tmp_path):
    net = tmp_path / "net.prototxt"
    net.write_text('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }')
    ran = run("grads", net)
    assert ran.status == 1
    assert "nothing gets a gradient, for it has no loss" in ran.err


def test_check(run, model):
    ran = run("check", model("mlp") / "net.yaml", "--samples", 3)
    assert ran.status == 0, ran.out + ran.err
    assert "all gradients agree" in ran.out


def test_test(run, model):
    ran = run("test", model("logreg") / "net.yaml", "-n", 2)
    assert ran.status == 0, ran.err
    assert "loss = " in ran.out


def test_layers(run):
    ran = run("layers")
    assert ran.status == 0
    assert "ReLU" in ran.out
    ran = run("layers", "Convolution")
    assert "num_output: uint32" in ran.out and "Formula" in ran.out
    ran = run("layers", "Convolutoin")
    assert ran.status == 1 and "did you mean 'Convolution'?" in ran.err


def test_doctor(run):
    ran = run("doctor")
    assert ran.status == 0, ran.err
    for word in ("NumPy", "threading layer", "kernel cache", "BLAS"):
        assert word in ran.out


def test_train_dumps_gradients_and_resumes(run, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solver = model("logreg") / "solver.yaml"
    assert run("train", solver, *SET, "--set", "snapshot_prefix=s", "--dump-gradients", "d", "--every", 2).status == 0
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == ["iter_000000.npz", "iter_000002.npz"]
    ran = run("train", solver, *SET, "--set", "snapshot_prefix=s", "--set", "max_iter=6", "--snapshot",
              "s_iter_4.solverstate")
    assert ran.status == 0, ran.err
    assert (tmp_path / "s_iter_6.caffemodel").exists()


def test_check_as_json(run, model):
    import json

    ran = run("check", model("mlp") / "net.yaml", "--json", "--samples", 2)
    report = json.loads(ran.out)
    assert ran.status == 0 and report["ok"] and report["rows"][0]["verdict"] == "ok"


def test_grads_shows_one_layer_items_and_updates(run, model, tmp_path):
    solver = model("mlp") / "solver.yaml"
    assert "gradient by param 0 (weights)" in run("grads", solver, "--show", "ip1").out
    assert "items, median norm" in run("grads", solver, "--samples").out
    assert "= update" in run("grads", solver, "--update", "ip1", "-n", 2).out
    assert run("grads", solver.parent / "net.yaml", "--update", "ip1").status == 2
    table = run("grads", solver, "--layers", "ip*").out
    assert "ip1" in table and "relu1" not in table
    assert "no layer's name matches 'zz*'" in run("grads", solver, "--layers", "zz*").err


def test_grads_compares_with_an_earlier_recording(run, model, tmp_path):
    solver = model("mlp") / "solver.yaml"
    assert run("grads", solver, "-n", 2, "--out", tmp_path / "a.npz").status == 0
    ran = run("grads", solver, "-n", 2, "--compare", tmp_path / "a.npz")
    assert (ran.status, ran.out.count("no layer differs")) == (0, 2)
    ran = run("grads", solver, "--seed", 5, "--compare", tmp_path / "a.npz")
    assert ran.status == 1 and "first difference: ip1: param ip1 0 data differs by" in ran.out
