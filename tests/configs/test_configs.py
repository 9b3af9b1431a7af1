"""Every folder of configs/: its twins are one message, it trains, configs/README.md lists it.

The nets of test_nets.py whose names stand in LARGE are trained there, for one step and with a smaller batch.
"""
from __future__ import annotations

import math
from pathlib import Path

import pytest

import netdef
from netdef.config.load import load_net, load_solver

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
MODELS = sorted(p.name for p in CONFIGS.iterdir() if p.is_dir() and not (p / "recipe.yaml").exists())  # see test_recipes.py
FILES = {"README.md", "net.yaml", "solver.yaml"}
TWINS = {"net.prototxt", "solver.prototxt"}
TWINNED = [model for model in MODELS if (CONFIGS / model / "net.prototxt").exists()]
OWN = {"ssd_bccd"}  # its data cannot come with netdef: trained in a file of its own
LARGE = {"caffenet", "googlenet", "mobilenet", "resnet20", "resnet50", "squeezenet", "vgg16"}


def test_there_are_configs():
    assert {"bcd7seg", "lenet", "logreg", "mlp"} <= set(TWINNED)
    assert set(MODELS) > LARGE


@pytest.mark.parametrize("model", MODELS)
def test_files(model):
    """Both notations, or YAML alone where prototxt would be a thousand lines."""
    names = {p.name for p in (CONFIGS / model).iterdir()}
    assert names >= FILES | (TWINS if model in TWINNED else set())
    assert model in TWINNED or not names & TWINS


@pytest.mark.parametrize("model", MODELS)
def test_readme(model):
    """It begins with a title and has the command; the list of all configs names it."""
    text = (CONFIGS / model / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# ") and f"    netdef train configs/{model}/solver.yaml" in text
    assert f"| [{model}]({model}/README.md) |" in (CONFIGS / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", TWINNED)
def test_net_twins(model):
    assert load_net(CONFIGS / model / "net.yaml").message == load_net(CONFIGS / model / "net.prototxt").message


@pytest.mark.parametrize("model", TWINNED)
def test_solver_twins(model):
    """Equal but for the net that each names: its own notation."""
    yaml, prototxt = (load_solver(CONFIGS / model / f"solver.{end}").message for end in ("yaml", "prototxt"))
    assert (yaml.net, prototxt.net) == ("net.yaml", "net.prototxt")
    yaml.net = prototxt.net
    assert yaml == prototxt


@pytest.mark.parametrize(("model", "end"), [(model, end) for model in MODELS if model not in LARGE | OWN
                                            for end in ("yaml", "prototxt") if model in TWINNED or end == "yaml"])
def test_trains(model, end, tmp_path, monkeypatch, data_of):
    """A few iterations, with a test and a snapshot; the loss is a number and the params move."""
    monkeypatch.chdir(tmp_path)
    data_of(model)
    overrides = ["max_iter=3", "test_interval=2", "display=1", "test_iter=1", "random_seed=7"]
    with netdef.Solver(CONFIGS / model / f"solver.{end}", overrides=overrides) as solver:
        before = {name: params[0].data.copy() for name, params in solver.net.params.items()}
        solver.solve()
        assert solver.iter == 3
        assert math.isfinite(solver.smoothed_loss)
        assert all((params[0].data != before[name]).any() for name, params in solver.net.params.items())
    assert sorted(p.suffix for p in (tmp_path / "runs").rglob("*iter_3.*")) == [".caffemodel", ".solverstate"]


def test_lenet_is_caffes():
    """Caffe's own architecture and settings, where they are not about files and machines."""
    solver = load_solver(CONFIGS / "lenet" / "solver.prototxt").message
    expected = {"base_lr": 0.01, "momentum": 0.9, "weight_decay": 0.0005, "lr_policy": "inv", "gamma": 0.0001,
                "power": 0.75, "max_iter": 10000, "display": 100, "snapshot": 5000, "test_interval": 500}
    found = {name: getattr(solver, name) for name in expected}
    assert found == {name: pytest.approx(value) if isinstance(value, float) else value
                     for name, value in expected.items()}
    layers = [(x.name, x.type) for x in load_net(CONFIGS / "lenet" / "net.prototxt").message.layer]
    assert layers == [("mnist", "Data"), ("mnist", "Data"), ("conv1", "Convolution"), ("pool1", "Pooling"),
                      ("conv2", "Convolution"), ("pool2", "Pooling"), ("ip1", "InnerProduct"), ("relu1", "ReLU"),
                      ("ip2", "InnerProduct"), ("accuracy", "Accuracy"), ("loss", "SoftmaxWithLoss")]


def test_lenet_is_the_reference_net(shared):
    """Field by field, but for where the digits come from."""
    theirs = load_net(shared / "prototxt" / "BVLC+caffe__examples__mnist__lenet_train_test.prototxt").message
    ours = load_net(CONFIGS / "lenet" / "net.prototxt").message
    for net in (theirs, ours):
        for layer in net.layer:
            for field in ("source", "backend"):
                layer.data_param.ClearField(field)
            if layer.type != "Data":
                layer.ClearField("data_param")
    assert ours == theirs
