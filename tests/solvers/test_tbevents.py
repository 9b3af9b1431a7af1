"""TensorBoard events: what TensorBoard itself reads from them."""
from __future__ import annotations

import sys

import pytest

from netdef.errors import NetdefError
from netdef.solvers.rundir import RunDirectory
from netdef.solvers.tbevents import scalars

TEXT = "test_iter: 1 test_interval: 2 display: 1 max_iter: 4 snapshot: 2 "


def test_scalars_have_names_by_place():
    record = {"kind": "test", "net": 1, "iter": 5, "outputs": {"accuracy": 0.5, "each": [0.25, 0.75]}, "loss": 2.0}
    assert scalars(record) == {"test_1/accuracy": 0.5, "test_1/each_0": 0.25, "test_1/each_1": 0.75, "test_1/loss": 2.0}
    record = {"kind": "train", "iter": 5, "lr": 0.1, "loss": 1.0, "smoothed_loss": 1.5, "outputs": {}, "grad_norm": 3.0,
              "grad_norms": {"ip": 3.0}}
    assert scalars(record) == {"train/lr": 0.1, "train/loss": 1.0, "train/smoothed_loss": 1.5, "gradient/all": 3.0,
                               "gradient/ip": 3.0}


def test_tensorboard_reads_them_over_a_resume(squares):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    snapshot = None
    for _ in range(2):
        solver = squares(TEXT)
        with RunDirectory(solver, "run", snapshot, tensorboard=True) as run:
            if snapshot:
                solver.restore(snapshot)
            run.begin([])
            solver.solve()
        snapshot = "run/squares_iter_2.solverstate"
    read = accumulator.EventAccumulator("run")
    read.Reload()
    assert {"train/lr", "train/loss", "test_0/loss", "gradient/all", "gradient/ip"} <= set(read.Tags()["scalars"])
    assert [s.step for s in read.Scalars("train/smoothed_loss")] == [0, 1, 2, 3, 4]
    assert read.Scalars("train/lr")[0].value == pytest.approx(0.1)


def test_without_the_package_it_says_so_before_anything_is_made(squares, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with pytest.raises(NetdefError, match="needs the package tensorboard.*pip install 'netdef\\[tensorboard\\]'"):
        RunDirectory(squares(), tensorboard=True)
    assert not (tmp_path / "runs").exists()
