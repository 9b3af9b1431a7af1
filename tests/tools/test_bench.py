"""tools/bench*.py: what can be tested without timing anything, and the nets built for PyTorch where it is installed."""
from __future__ import annotations

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


@pytest.mark.parametrize("name", ["bench", "bench_kernels", "bench_layers", "bench_nets"])
def test_help(name):
    done = subprocess.run([sys.executable, str(TOOLS / f"{name}.py"), "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage")


def test_unknown_names_are_refused(capsys):
    import bench

    with pytest.raises(SystemExit):
        bench.main(["--nets", "lenett"])
    assert "unknown net 'lenett'; known: lenet" in capsys.readouterr().err


def test_take_turns_and_table():
    import bench_timing as timing

    order = []
    times = timing.take_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 0, rest=0)
    assert order == list("aabb") * 5 and len(times["a"]) == 5
    assert timing.table([["x", "1"]], ("name", "n")) == "| name | n |\n|------|--:|\n| x    | 1 |"
    assert timing.geometric_mean([1, 4]) == 2 and np.isnan(timing.geometric_mean([]))
    assert "load" in str(timing.Quiet())


@pytest.mark.parametrize("what", ["train", "infer"])
def test_a_worker_runs(what):
    command = [sys.executable, str(TOOLS / "bench_nets.py"), "netdef", "lenet", what, "--batch", "2", "--threads", "1"]
    done = subprocess.run(command, input="2\n\n", capture_output=True, text=True, check=True)
    ready, times = done.stdout.splitlines()
    assert ready.startswith('ready {"first_s"') and len(times.split(",")) == 2


def test_deploy_files_are_a_net(tmp_path):
    import bench_nets

    import netdef

    text, weights = bench_nets.deploy_files("lenet", 3, tmp_path)
    net = netdef.Net(str(text), weights=str(weights))
    assert net.inputs == ["data"] and net.forward(data=np.zeros((3, 1, 28, 28)))["ip2"].shape == (3, 10)
    assert netdef.Net(str(bench_nets._training_file("lenet", 3, tmp_path)), phase="TRAIN").inputs == ["data", "label"]


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
