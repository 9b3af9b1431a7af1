"""`netdef train`: the run's directory, going on in it after a kill, and the learning-rate finder."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netdef.solvers.metrics import read_metrics

SHORT = ("--set", "max_iter=6", "--set", "test_interval=2", "--set", "test_iter=[1]", "--set", "display=2", "--set",
         "snapshot=2", "--seed", "1")


@pytest.fixture
def solver(model, tmp_path, monkeypatch):
    """The solver file of a small model; the test runs in an empty folder."""
    path = model("logreg") / "solver.yaml"
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    return path


def test_a_run_its_resume_and_its_config_again(run, solver):
    ran = run("train", solver, *SHORT)
    assert ran.status == 0 and ran.out.splitlines()[-1] == "run:    runs/logreg/1"
    first = Path("runs/logreg/1/logreg_iter_6.caffemodel").read_bytes()
    ran = run("train", solver, *SHORT, "--snapshot", "runs/logreg/1/logreg_iter_4.solverstate")
    assert ran.status == 0 and ran.out.splitlines()[-1] == "run:    runs/logreg/1"
    assert run("train", "runs/logreg/1/solver.prototxt").status == 0
    assert Path("runs/logreg/2/logreg_iter_6.caffemodel").read_bytes() == first
    ran = run("compare", "runs/logreg/1", "runs/logreg/2")
    assert ran.status == 0, ran.out


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills of POSIX systems")
def test_a_killed_run_goes_on(run, solver):
    more = [*SHORT, "--set", "max_iter=1000000"]
    child = subprocess.Popen([sys.executable, "-m", "netdef.cli.main", "train", str(solver), *more], stdout=subprocess.DEVNULL)
    folder = Path("runs/logreg/1")
    end = time.monotonic() + 30
    while not list(folder.glob("*_iter_10.solverstate")) and child.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    child.kill()
    child.wait()
    before = {(r["kind"], r["iter"]): r["outputs"] for r in read_metrics(folder / "metrics.jsonl")}
    (folder / ".logreg_iter_12.caffemodel.0123456789ab.tmp").write_bytes(b"half")
    ran = run("train", solver, *SHORT, "--set", "max_iter=10", "--snapshot", folder / "logreg_iter_6.solverstate")
    assert ran.status == 0, ran.err
    after = [(r["kind"], r["iter"]) for r in read_metrics(folder / "metrics.jsonl")]
    assert sorted(set(after)) == sorted(after) == sorted(
        [(kind, i) for i in range(0, 11, 2) for kind in ("train", "test")])
    again = {(r["kind"], r["iter"]): r["outputs"] for r in read_metrics(folder / "metrics.jsonl") if "outputs" in r}
    assert all(before[key] == again[key] for key in again if key in before and key[1] < 10)
    assert not list(folder.glob(".*.tmp"))


def test_the_directory_may_be_named_and_must_be_free(run, solver):
    assert run("train", solver, *SHORT, "--run-dir", "mine").status == 0
    assert sorted(os.listdir()) == ["mine"]
    ran = run("train", solver, *SHORT, "--run-dir", "mine")
    assert ran.status == 1 and "is not empty" in ran.err
    Path("file").write_text("")
    ran = run("train", solver, *SHORT, "--run-dir", "file/x")
    assert ran.status == 1 and "cannot make the run's directory 'file/x'" in ran.err and "Iteration" not in ran.out


def test_tensorboard_is_missed_before_training(run, solver, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    ran = run("train", solver, *SHORT, "--tensorboard")
    assert ran.status == 1 and "pip install 'netdef[tensorboard]'" in ran.err and os.listdir() == []


def test_find_lr(run, solver):
    ran = run("train", solver, "--find-lr", "--seed", "1")
    assert ran.status == 0, ran.err
    found = re.search(r"--set base_lr=(\S+)$", ran.out)
    assert found and 0.001 < float(found[1]) < 1 and "smoothed loss by learning rate" in ran.out
    assert "lr_policy fixed keeps base_lr all the way" in ran.out and os.listdir() == []
    assert run("train", solver, "--find-lr", "--seed", "1").out == ran.out
    ran = run("train", solver, "--find-lr", "--seed", "1", "--lr-range", "1e-9", "1e-8", "--lr-iter", "10")
    assert ran.status == 1 and "did not fall" in ran.out
    assert run("train", solver, "--find-lr", "--lr-range", "1", "1").status == 2
