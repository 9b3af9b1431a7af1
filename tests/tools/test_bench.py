"""tools/bench*.py: what can be tested without timing anything, and the nets built for PyTorch where it is installed."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(autouse=True)
def tools(monkeypatch):
    """Scripts of tools/ import each other by name."""
    monkeypatch.syspath_prepend(str(TOOLS))


@pytest.mark.parametrize("name", ["bench", "bench_data", "bench_kernels", "bench_layers", "bench_nets"])
def test_help(name):
    done = subprocess.run([sys.executable, str(TOOLS / f"{name}.py"), "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage")


@pytest.mark.parametrize("arguments, message", [
    (["--nets", "lenett"], "unknown net 'lenett'; known: lenet"),
    (["--only", "lenet,torhc"], "unknown contender 'torhc'; known: netdef, netdef tuned, torch"),
    (["--what", "trian"], "unknown measurement 'trian'"),
    (["--layers", "lenett"], "unknown net 'lenett'"),
    (["--threads", "0"], "argument --threads: invalid counts value: '0'"),
    (["--rounds", "0"], "--rounds: at least 1"),
    (["--model", "face"], "expected NAME=PROTOTXT,CAFFEMODEL, got 'face'"),
    (["--model", "face=none.prototxt,none.caffemodel"], "none.prototxt: no such file"),
    (["--json", "no/such/folder.json"], "no/such/folder.json: cannot be written: No such file or directory"),
])
def test_mistakes_are_refused_before_anything_runs(arguments, message, capsys):
    import bench

    with pytest.raises(SystemExit) as exit:
        bench.main(arguments)
    assert exit.value.code == 2 and message in capsys.readouterr().err


def test_a_json_file_of_something_else_is_left_alone(tmp_path, capsys):
    import bench

    path = tmp_path / "figures.json"
    for text, message in (("{", "expected a JSON file of figures"), ('{"a": 1}', "got other JSON")):
        path.write_text(text)
        with pytest.raises(SystemExit):
            bench.main(["--json", str(path)])
        assert message in capsys.readouterr().err and path.read_text() == text


def test_netdef_alone_from_end_to_end(tmp_path, monkeypatch, capsys):
    """As on a machine without any peer: tables, JSON and Markdown; a second run adds to the JSON file."""
    import bench
    import bench_race

    monkeypatch.setattr(bench_race.importlib.util, "find_spec", lambda name: name == "numba" or None)
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"
    usual = ["--only", "lenet", "--seconds", "0.01", "--rounds", "1", "--threads", "1", "--json", str(figures)]
    assert bench.main([*usual, "--what", "train", "--markdown", str(page)]) == 0
    out = capsys.readouterr().out
    assert "torch: not installed (no module torch)" in out and "OpenCV: not installed (no module cv2)" in out
    assert "### training step: forward, backward, SGD update, 1 thread" in out and "| lenet (64) | " in out
    assert "| net | plan MB | netdef grown MB | grown / plan | netdef tuned / netdef |" in out
    assert page.read_text().strip() == out.strip()
    assert bench.main([*usual, "--latency"]) == 0
    assert "## inference of one picture, 1 thread" in capsys.readouterr().out
    found = json.loads(figures.read_text())
    row = found["nets"]["train"]["1"]["lenet"]["netdef"]
    assert min(row["seconds"]) > 0 and row["peak_mb"] > 0 and row["plan_mb"] > 5 and row["compiled"] == 0
    assert set(found["nets"]) == {"train", "latency"} and len(found["commands"]) == 2 and found["machine"]["numba"]


def test_layers_without_torch(monkeypatch, capsys):
    import bench

    monkeypatch.setitem(sys.modules, "torch", None)
    assert bench.main(["--layers", "lenet"]) == 1
    assert "not installed (no module torch). `netdef time NET --kernels`" in capsys.readouterr().out


def test_kernels_without_torch(monkeypatch, capsys):
    import bench_kernels
    import bench_report

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(bench_kernels, "cases", lambda torch: bench_kernels._sweeps(
        bench_kernels._Make(np.random.default_rng(0), torch), (1, 2, 8, 8)))
    report = bench_report.Report(["x"])
    bench_kernels.run("relu_backward", 1, 0.001, report)
    out = capsys.readouterr().out
    assert "| relu_backward 1x2x8x8 |" in out and "its columns stay empty" in out
    assert set(report.raw["kernels"]["1"]["relu_backward 1x2x8x8"]) == {"numpy", "compiled"}


def test_rates():
    import bench_layers

    assert bench_layers._rates([5e10, 2e11], 1e11) == ["50", "200", "50%", "200%"]
    assert bench_layers._rates([0, 0], 1e11) == ["", "", "", ""]


def test_take_turns_and_table():
    import bench_timing as timing

    order = []
    times = timing.take_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 0, rest=0)
    assert order == list("aabb") * 5 and len(times["a"]) == 5
    assert timing.table([["x", "1"]], ("name", "n")) == "| name | n |\n|------|--:|\n| x    | 1 |"
    assert timing.geometric_mean([1, 4]) == 2 and np.isnan(timing.geometric_mean([]))
    assert "load" in str(timing.Quiet())


def test_deploy_files_are_a_net(tmp_path):
    import bench_nets

    import netdef

    text, weights = bench_nets.deploy_files("lenet", 3, tmp_path)
    net = netdef.Net(str(text), weights=str(weights))
    assert net.inputs == ["data"] and net.forward(data=np.zeros((3, 1, 28, 28)))["ip2"].shape == (3, 10)
    assert netdef.Net(str(bench_nets.training_file("lenet", 3, tmp_path)), phase="TRAIN").inputs == ["data", "label"]


def test_what_goes_wrong_apart_is_said(tmp_path):
    import bench_nets

    with pytest.raises(RuntimeError, match="nowhere"):
        bench_nets._apart("deploy_files", "nowhere", 1, str(tmp_path))


NETS = ["lenet", "cifar10_full", "caffenet", "googlenet", "vgg16", "resnet50", "squeezenet", "mobilenet"]


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (k > 1)) for k, n in enumerate(NETS)])
def test_the_net_built_for_pytorch_is_the_same(name, phase):
    torch = pytest.importorskip("torch")
    import bench_nets
    from bench_torch import PlanModule

    from netdef.runtime.net import Net

    plan = bench_nets.plan_of(name, phase, 2)
    for step in plan.steps:
        if step.node.type == "Dropout":  # drawn differently by each
            step.node.layer.ratio = 0.0
    net, module = Net(plan, seed=3), PlanModule(plan)
    for run in net.steps:
        if run.type == "Dropout":
            run.layer.ratio = 0.0
        if run.type == "BatchNorm":
            run.params[1].data[...], run.params[2].data[...] = 1, 1
    module.load({layer: [blob.data for blob in blobs] for layer, blobs in net.params.items()})
    data, label = bench_nets.inputs_of(plan)
    for top, array in zip(plan.steps[0].node.tops, (data, label), strict=True):
        net.blobs[plan.description.value_name(top)].data[...] = array
    net.forward(start=bench_nets.first_layer(plan))
    values = module(dict(zip(plan.steps[0].node.tops, map(torch.from_numpy, (data, label)), strict=True)))
    scores = {step.node.name: step.node.tops[0] for step in plan.steps}[bench_nets.score_layer(plan)]
    want, got = net.blobs[plan.description.value_name(scores)].data, values[scores].detach().numpy()
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3 * np.abs(want).max())
    if net.loss < 80:  # Caffe's loss ends at 87.3 a place
        assert float(module.loss(values).detach()) == pytest.approx(net.loss, rel=2e-4)
