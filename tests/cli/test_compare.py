"""`netdef compare`: what is dispatched where, and the exit status."""
from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from netdef.solvers.metrics import encode


@pytest.fixture
def metrics(tmp_path, monkeypatch):
    """Two metrics files a hundredth apart, and a log as the first; the test runs beside them."""
    monkeypatch.chdir(tmp_path)
    for name, loss in (("a", 1.0), ("b", 1.01)):
        (tmp_path / f"{name}.jsonl").write_bytes(encode({"kind": "train", "iter": 5, "smoothed_loss": loss, "outputs": {}}))
    (tmp_path / "log.txt").write_text("Iteration 5, loss = 1\n")
    (tmp_path / "net.prototxt").write_text('name: "x"\n')


@pytest.fixture
def files(monkeypatch):
    """Stands in for the comparison of nets; the pairs that it was asked for."""
    asked, module = [], ModuleType("netdef.graph.differences")

    def compare_files(a, b):
        asked.append((a, b))
        return SimpleNamespace(same=a == b, render=lambda: "rendered")

    module.compare_files = compare_files
    monkeypatch.setitem(sys.modules, "netdef.graph.differences", module)
    return asked


def test_runs(run, metrics):
    ran = run("compare", "a.jsonl", "b.jsonl")
    assert ran.status == 1 and "first difference at iteration 5, train net:\n  smoothed_loss: 1 and 1.01" in ran.out
    assert run("compare", "a.jsonl", "log.txt").status == 0
    assert run("compare", "a.jsonl", "b.jsonl", "--tolerance", "0.02").status == 0


def test_nets_and_solvers_go_to_the_graph(run, metrics, files):
    assert run("compare", "net.prototxt", "net.prototxt").status == 0
    ran = run("compare", "net.prototxt", "builtin:lenet")
    assert ran.status == 1 and ran.out == "rendered\n"
    assert files == [("net.prototxt", "net.prototxt"), ("net.prototxt", "builtin:lenet")]
    assert run("compare", "net.prototxt", "net.prototxt", "--tolerance", "1").status == 2


def test_bad_input(run, metrics, tmp_path):
    ran = run("compare", "a.jsonl", "net.prototxt")
    assert ran.status == 2 and "'a.jsonl' is a run and 'net.prototxt' is none" in ran.err
    assert run("compare", "a.jsonl", "c.jsonl").status == 1
    ran = run("compare", tmp_path, tmp_path)
    assert ran.status == 1 and "holds metrics.jsonl" in ran.err
    assert run("compare", "a.jsonl").status == 2
