"""`netdef plot`: pictures, tables and drawings of runs, and what it says about bad input."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

TRAIN = ("--set", "max_iter=6", "--set", "test_interval=2", "--set", "test_iter=[1]", "--set", "display=2", "--seed", "1")


@pytest.fixture
def runs(run, model, tmp_path, monkeypatch):
    """Two runs of a small model, in the working directory."""
    solver = model("logreg") / "solver.yaml"
    monkeypatch.chdir(tmp_path)
    for name, more in (("a", ()), ("b", ("--set", "base_lr=0.1"))):
        assert run("train", solver, *TRAIN, *more, "--run-dir", name).status == 0
    return ["a", "b"]


def test_a_picture_beside_the_run_or_elsewhere(run, runs):
    pytest.importorskip("matplotlib")
    ran = run("plot", "a")
    assert ran.status == 0 and ran.out == "wrote a/curves.png\n" and Path("a/curves.png").read_bytes()[1:4] == b"PNG"
    assert run("plot", *runs, "--what", "loss,lr", "--log", "x,loss", "--smooth", "0.5", "--out", "both.svg").status == 0
    assert "<svg" in Path("both.svg").read_text()


def test_a_table_and_a_drawing(run, runs):
    ran = run("plot", *runs, "--csv", "--what", "accuracy,lr")
    assert ran.status == 0 and ran.out.startswith("run,curve,iteration,seconds,value\na,test 0 accuracy,0,")
    assert len(ran.out.splitlines()) == 1 + 2 * (4 + 3)
    assert run("plot", "a", "--csv", "--out", "t.csv").out == "wrote t.csv\n" and Path("t.csv").exists()
    ran = run("plot", *runs, "--text", "--x", "seconds")
    assert ran.status == 0 and "accuracy by seconds" in ran.out and "o b: test 0 accuracy" in ran.out


def test_a_log_is_a_run_too(run, runs, tmp_path, shared):
    ran = run("plot", shared / "conformance/log/log.txt", "--csv", "--what", "lr")
    assert [line.split(",")[2:] for line in ran.out.splitlines()[1:]] == [["0", "0.006423", "0.1"], ["2", "0.006725", "0.05"]]


def test_bad_input(run, runs, monkeypatch):
    ran = run("plot", "c")
    assert ran.status == 1 and "no file or directory 'c'" in ran.err
    assert "did you mean 'accuracy'?" in run("plot", "a", "--what", "acuracy").err
    assert run("plot", "a", "--log", "gradient").status == 2
    assert run("plot", "a", "--text", "--csv").status == 2
    assert run("plot").status == 2
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    ran = run("plot", "a")
    assert ran.status == 1 and "pip install 'netdef[plot]'" in ran.err and not Path("a/curves.png").exists()
