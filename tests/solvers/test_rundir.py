"""The directory of a run: which one, what is in it, and that a resume goes on in it."""
from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from netdef.errors import NetdefError, SolverError
from netdef.solvers.environment import git_commit
from netdef.solvers.metrics import read_metrics
from netdef.solvers.rundir import RunDirectory, find_run, read_run, snapshot_prefix

TEXT = "display: 1 max_iter: 4 snapshot: 2 "


def train(squares, text=TEXT, folder=None, snapshot=None, **options):
    solver = squares(text, **options)
    with RunDirectory(solver, folder, snapshot) as run:
        if snapshot is not None:
            solver.restore(snapshot)
        run.begin(["netdef", "train", "solver.prototxt"])
        solver.solve()
    return run.folder


def test_what_lies_in_it(squares):
    folder = train(squares)
    assert folder == Path("runs/squares/1")
    assert sorted(os.listdir(folder)) == [
        "metrics.jsonl", "net.prototxt", "run.json", "solver.prototxt", "squares_iter_2.caffemodel",
        "squares_iter_2.solverstate", "squares_iter_4.caffemodel", "squares_iter_4.solverstate"]
    (start,) = read_run(folder)["starts"]
    assert start["seed"] == 3 and start["iteration"] == 0 and start["command"] == ["netdef", "train", "solver.prototxt"]
    assert {"netdef", "numpy", "numba", "python"} <= set(start["versions"])
    assert start["processor"] and start["threads"] >= 1 and start["kernels"] == "reference" and start["folder"] == os.getcwd()
    assert snapshot_prefix(folder) == "runs/squares/1/squares"
    assert train(squares) == Path("runs/squares/2")


def test_a_resume_goes_on_in_it(squares):
    folder = train(squares)
    again = train(squares, TEXT + "base_lr: 0.05", snapshot=f"{folder}/squares_iter_2.solverstate")
    assert again == folder and os.listdir("runs/squares") == ["1"]
    assert [r["iter"] for r in read_metrics(folder / "metrics.jsonl")] == [0, 1, 2, 3, 4]
    starts = read_run(folder)["starts"]
    assert [s["iteration"] for s in starts] == [0, 2] and starts[1]["snapshot"].endswith("squares_iter_2.solverstate")
    assert "base_lr: 0.1\n" in (folder / "solver.1.prototxt").read_text()
    assert "base_lr: 0.05\n" in (folder / "solver.prototxt").read_text()
    assert not (folder / "net.1.prototxt").exists(), "the net said the same"


def test_with_a_prefix_the_snapshots_lie_there_and_the_run_is_found(squares):
    text = TEXT + 'snapshot_prefix: "w/s"'
    folder = train(squares, text)
    assert folder == Path("runs/squares/1") and sorted(os.listdir("w"))[0] == "s_iter_2.caffemodel"
    assert not list(folder.glob("*.caffemodel")) and snapshot_prefix(folder) == os.path.abspath("w/s")
    train(squares, TEXT)
    assert train(squares, text, snapshot="w/s_iter_2.solverstate") == folder
    assert find_run(Path("w/t_iter_2.solverstate"), Path("runs/squares")) is None


def test_a_snapshot_of_unknown_origin_begins_a_run(squares):
    squares('snapshot_prefix: "s"').snapshot()
    assert train(squares, snapshot="s_iter_0.solverstate") == Path("runs/squares/1")


def test_a_folder_may_be_named(squares):
    assert train(squares, folder="mine") == Path("mine")
    assert Path("mine/squares_iter_4.caffemodel").exists()
    with pytest.raises(SolverError, match="'mine' is not empty; take a new one, or go on with --snapshot"):
        train(squares, folder="mine")
    train(squares, folder="mine", snapshot="mine/squares_iter_2.solverstate")
    Path("file").write_text("")
    with pytest.raises(SolverError, match="cannot make the run's directory 'file/x'"):
        train(squares, folder="file/x")


def test_what_fails_before_training_leaves_nothing(squares):
    with pytest.raises(NetdefError):
        train(squares, snapshot=Path("none.solverstate"))
    solver = squares()
    with pytest.raises(ValueError), RunDirectory(solver):
        raise ValueError
    assert os.listdir("runs/squares") == []


def test_unfinished_files_of_a_killed_start_are_swept(squares):
    Path("mine").mkdir()
    folder = train(squares, folder="mine")
    left = [folder / ".run.json.0123456789ab.tmp", folder / ".solver.prototxt.0123456789ab.tmp"]
    for path in left:
        path.write_text("{")
    train(squares, folder="mine", snapshot="mine/squares_iter_2.solverstate")
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize(("text", "expected"), [("{", "expected what netdef writes about a run"), ("[]", "expected what"),
                                                ('{"version": 99}', "of version 99")])
def test_a_damaged_record_is_named(squares, text, expected):
    folder = train(squares)
    (folder / "run.json").write_text(text)
    with pytest.raises(NetdefError, match=expected):
        read_run(folder)


def test_commit(tmp_path, monkeypatch):
    import subprocess

    monkeypatch.chdir(tmp_path)
    assert git_commit() is None
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "x"]):
        if subprocess.run(["git", *command]).returncode:
            pytest.skip("needs git")
    found = git_commit()
    assert len(found["commit"]) == 40 and found["changed"] is False
    json.dumps(found)
    monkeypatch.setenv("PATH", "")
    assert git_commit() is None
