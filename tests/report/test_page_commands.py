"""`netdef grads --html` and `netdef train --html`: the files they write, and what they say of bad input."""
from __future__ import annotations

from typing import NamedTuple

import pytest


class Ran(NamedTuple):
    """Exit status and what was printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def netdef(monkeypatch, capsys, tmp_path):
    """``netdef("grads", path)`` in the test's folder."""
    from netdef.cli.main import main

    def call(*args) -> Ran:
        monkeypatch.setattr("sys.argv", ["netdef", *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return Ran(int(stop.value.code or 0), out, err)

    monkeypatch.chdir(tmp_path)
    return call


@pytest.fixture
def solver(chain, solver_of):
    """A solver of a small net, in the test's folder."""
    return solver_of(chain(8))


def iterations(data, run=0):
    return [f["iteration"] for f in data["runs"][run]["frames"]]


def test_of_a_solver_and_of_a_net(netdef, solver, tmp_path, data_of):
    done = netdef("grads", solver, "-n", 3, "--html", "page.html")
    assert done.status == 0 and "written: page.html" in done.out
    data = data_of(tmp_path / "page.html")
    assert iterations(data) == [0, 1, 2] and data["comparison"] is None and data["runs"][0]["frames"][0]["lr"] == 1e-4
    assert netdef("grads", "net.prototxt", "-n", 2, "--html", "net.html").status == 0
    net = data_of(tmp_path / "net.html")
    assert iterations(net) == [0, 1] and net["runs"][0]["frames"][0]["edges"]


def test_of_many_iterations_a_dozen_are_shown(netdef, solver, tmp_path, data_of):
    assert netdef("grads", solver, "-n", 40, "--html", "page.html").status == 0
    data = data_of(tmp_path / "page.html")
    assert len(iterations(data)) == 12 and iterations(data)[-1] == 39
    assert len(data["runs"][0]["curves"][0]["points"]) == 40


def test_recordings_and_two_of_them(netdef, solver, tmp_path, data_of):
    assert netdef("grads", solver, "-n", 2, "--out", "one").status == 0
    assert netdef("grads", solver, "-n", 2, "--out", "two.npz", "--set", "base_lr=0.1").status == 0
    assert netdef("grads", "one", "--html", "page.html").status == 0
    assert iterations(data_of(tmp_path / "page.html")) == [0, 1]
    done = netdef("grads", "one", "--compare", "two.npz", "--html", "both.html")
    assert done.status == 1 and "iteration 0: no layer differs" in done.out and "iteration 1: first difference" in done.out
    data = data_of(tmp_path / "both.html")
    assert [len(run["frames"]) for run in data["runs"]] == [2, 2]
    first = data["comparison"][1]["differences"][0]
    assert data["layers"][first["layer"]]["name"] == "conv0" and first["what"] == "param conv0 0 data"


def test_a_run_compared_with_a_recording(netdef, solver, tmp_path, data_of):
    assert netdef("grads", solver, "-n", 2, "--out", "one").status == 0
    done = netdef("grads", solver, "-n", 2, "--compare", "one", "--html", "same.html")
    assert done.status == 0
    data = data_of(tmp_path / "same.html")
    assert [c["differences"] for c in data["comparison"]] == [[], []]
    a, b = data["runs"]
    assert a["frames"][1]["tops"] == b["frames"][1]["tops"] and a["frames"][1]["params"] == b["frames"][1]["params"]


def test_of_a_training_and_then_of_its_directory(netdef, solver, tmp_path, data_of):
    done = netdef("train", solver, "--run-dir", "run", "--html", "page.html", "--set", "display=2", "--set", "max_iter=30")
    assert done.status == 0 and "page:   page.html" in done.out
    data = data_of(tmp_path / "page.html")
    assert len(iterations(data)) == 12 and iterations(data)[0] == 0 and iterations(data)[-1] == 29
    assert len(data["runs"][0]["curves"][0]["points"]) == 30
    done = netdef("grads", "run", "-n", 2, "--html", "trained.html")
    assert done.status == 0, done.err
    trained = data_of(tmp_path / "trained.html")
    assert iterations(trained) == [30, 31], "it goes on from the snapshot"
    assert trained["runs"][0]["curves"][0]["points"][-1][0] == 30, "the curves are those of the run"


def test_a_page_does_not_change_a_training(netdef, solver, tmp_path):
    netdef("train", solver, "--run-dir", "with", "--html", "page.html", "--seed", 4)
    netdef("train", solver, "--run-dir", "without", "--seed", 4)
    one, two = ((tmp_path / name / "chain_iter_10.caffemodel").read_bytes() for name in ("with", "without"))
    assert one == two


def test_of_a_training_that_fails(netdef, solver, tmp_path, data_of):
    done = netdef("train", solver, "--html", "page.html", "--set", "base_lr=1e30", "--set", "max_iter=100")
    assert done.status == 1 and "page:   page.html" in done.out
    data = data_of(tmp_path / "page.html")
    assert iterations(data) == [0, 1] and data["runs"][0]["frames"][-1]["loss"] == "NaN"
    assert data["runs"][0]["findings"][0]["cause"] == "learning rate"


@pytest.mark.parametrize(("arguments", "status", "words"), [
    (("grads", "solver.prototxt", "--html", "nowhere/page.html"), 1, "there is no folder 'nowhere'"),
    (("grads", "solver.prototxt", "--html", "."), 1, "got a folder"),
    (("train", "solver.prototxt", "--html", "nowhere/page.html"), 1, "there is no folder 'nowhere'"),
    (("train", "solver.prototxt", "--html", "page.html", "--fast-dev-run"), 2, "--html shows a whole training"),
    (("grads", "solver.prototx", "--html", "page.html"), 1, "did you mean 'solver.prototxt'"),
    (("grads", "broken.npz", "--html", "page.html"), 1, "is no recording"),
])
def test_bad_input(netdef, solver, tmp_path, arguments, status, words):
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 cut off")
    done = netdef(*arguments)
    assert done.status == status and words in done.err
    assert not list(tmp_path.glob("*.html")) and not (tmp_path / "runs").exists()


def test_recordings_take_no_options_of_a_run(netdef, solver, tmp_path):
    assert netdef("grads", solver, "--out", "one").status == 0
    done = netdef("grads", "one", "--html", "page.html", "--samples")
    assert done.status == 2 and "recordings are there already" in done.err


def test_a_run_without_a_snapshot(netdef, solver, tmp_path):
    netdef("train", solver, "--run-dir", "run", "--set", "snapshot_after_train=false")
    done = netdef("grads", "run", "--html", "page.html")
    assert done.status == 1 and "the run has no snapshot" in done.err
