"""`netdef blame`, and what `netdef train` does about NaN."""
from __future__ import annotations

import json

FEW = ("--set", "test_interval=100000", "--set", "test_initialization=false", "--set", "max_iter=50")


def test_healthy(run, model):
    ran = run("blame", model("mlp") / "solver.yaml", "-n", 30)
    assert ran.status == 0, ran.out
    assert "replayed 30 iterations from 0, loss " in ran.out and ran.out.endswith("looks healthy\n")


def test_learning_rate(run, model):
    folder = model("mlp")
    ran = run("blame", folder / "solver.yaml", "--set", "base_lr=1000")
    assert ran.status == 1
    for words in ("87.3365", "cause: learning rate", "--set:1:9", "grew from", "suggestion: a base_lr of "):
        assert words in ran.out
    assert ran.out == run("blame", folder / "solver.yaml", "--set", "base_lr=1000").out


def test_json(run, model):
    ran = run("blame", model("mlp") / "solver.yaml", "--set", "base_lr=1000", "--json")
    read = json.loads(ran.out)
    assert ran.status == 1 and not read["ok"] and read["iterations"] == len(read["losses"])
    (finding,) = read["findings"]
    assert finding["cause"] == "learning rate" and finding["span"] == "--set:1:9" and finding["chain"]


def test_weights_or_a_snapshot(run, model):
    assert run("blame", model("mlp") / "solver.yaml", "-w", "a", "-s", "b").status == 2


def test_train_stops_on_nan(run, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solver = model("mlp") / "solver.yaml"
    ran = run("train", solver, "--seed", 1, *FEW, "--set", "base_lr=1e6")
    assert ran.status == 1
    assert "likely cause: learning rate" in ran.err and "evidence is in runs/mlp/1/mlp_nan_iter_" in ran.err
    assert len(list((tmp_path / "runs/mlp/1").glob("*.npz"))) == 1
    ran = run("train", solver, "--seed", 1, *FEW, "--set", "base_lr=1e6", "--on-nan", "ignore")
    assert ran.status == 0 and "done after 50 iterations" in ran.out
    assert ran.err.count("advice: ") == 1


def test_train_advises(run, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solver = model("mlp") / "solver.yaml"
    rate = ("--seed", 1, *FEW, "--set", "base_lr=1e-12", "--set", "display=20")
    ran = run("train", solver, *rate)
    assert ran.status == 0
    (line,) = (line for line in ran.err.splitlines() if line.startswith("advice: "))
    assert "--set:4:9: layer 'ip1' (InnerProduct): an update changes 'ip1[0]'" in line
    assert "advice" not in run("--quiet", "train", solver, *rate).err
