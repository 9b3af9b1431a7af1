"""Whole runs against BVLC Caffe 1.0: twenty updates by each rule, its snapshots, and its log.

The nets are the reference runs' own and read the same HDF5 file.
"""
from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

import netdef
from netdef import weights
from netdef.config import schema
from netdef.solvers.log import lines

NAMES = ["adadelta_fixed", "adagrad_sigmoid", "adam_fixed", "nesterov_poly", "rmsprop_fixed",
         "sgd_clip_iter_size_inv", "sgd_momentum_decay_step", "sgd_plain"]


@pytest.fixture
def caffe(shared, tmp_path, monkeypatch):
    """``caffe(name, folder="solvers", **options)``: a solver of the reference runs, in a copy of its folder."""
    pytest.importorskip("h5py")
    monkeypatch.chdir(tmp_path)

    def make(name="", folder="solvers", **options):
        for path in (shared / "conformance" / folder).iterdir():
            if not (tmp_path / path.name).exists():
                shutil.copyfile(path, tmp_path / path.name)
        return netdef.Solver(f"{name}.solver.prototxt" if name else "solver.prototxt", **options)

    return make


def check(solver, reference, iteration, rtol=2e-4):
    for layer, blobs in solver.net.params.items():
        for i, blob in enumerate(blobs):
            expected = reference[f"iter{iteration}/{layer}/{i}"]
            assert np.abs(blob.data - expected).max() <= rtol * np.abs(expected).max(), (iteration, layer, i)


@pytest.mark.parametrize("name", NAMES)
def test_twenty_updates(caffe, shared, name):
    solver = caffe(name, weights="init.caffemodel")
    reference = np.load(shared / "conformance" / "solvers" / f"{name}.npz")
    losses = []
    solver.listen(lambda event: losses.append(float(solver.net.blobs["loss"].data))
                  if type(event).__name__ == "GradientsReady" else None)
    for iteration in range(1, 21):
        solver.step(1)
        check(solver, reference, iteration)
    np.testing.assert_allclose(losses, reference["losses"], rtol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_going_on_from_a_snapshot_of_caffe(caffe, shared, name):
    solver = caffe(name, snapshot=f"{name}_iter_10.solverstate")
    reference = np.load(shared / "conformance" / "solvers" / f"{name}.npz")
    assert solver.iter == 10
    check(solver, reference, 10, 0)
    for iteration in range(11, 21):
        solver.step(1)
        check(solver, reference, iteration)


@pytest.mark.parametrize("name", NAMES)
def test_our_snapshot_is_that_of_caffe(caffe, shared, name):
    solver = caffe(name, weights="init.caffemodel")
    theirs = weights.read_solverstate(shared / "conformance" / "solvers" / f"{name}_iter_10.solverstate")
    solver.step(10)
    model, state = solver.snapshot()
    ours = weights.read_solverstate(state)
    assert (ours.iter, ours.learned_net, ours.current_step) == (theirs.iter, theirs.learned_net, theirs.current_step)
    assert [h.shape for h in ours.history] == [h.shape for h in theirs.history]
    for mine, other in zip(ours.history, theirs.history, strict=True):
        assert np.abs(mine - other).max() <= 1e-3 * np.abs(other).max()
    net = schema.new("NetParameter")
    net.ParseFromString(model.read_bytes())
    assert {layer.name: len(layer.blobs) for layer in net.layer}["conv"] == 2


def test_the_log_of_a_run(caffe, shared):
    """Line for line, but for the speed."""
    solver = caffe(folder="log")
    found = []
    solver.listen(lambda event: found.extend(lines(event)))
    solver.solve()
    log = (shared / "conformance" / "log" / "log.txt").read_text()
    kept = [re.sub(r"^[IE]\d+ \S+ +\d+ \S+\] ", "", line) for line in log.splitlines()]
    kept = [line for line in kept if "[Forward]" not in line and "[Backward]" not in line]
    expected = kept[kept.index("Solving solver_case"):]
    assert expected[-1] == expected[-2] == "Optimization Done."  # Caffe's solver and its tool both say so
    assert [masked(line) for line in found] == [masked(line) for line in expected[:-1]]


def masked(line):
    """Without the speed, and with the last digit of each number left out."""
    line = re.sub(r"\(\S+ iter/s, \S+s/", "(? iter/s, ?s/", line)
    return re.sub(r"\d+\.\d{3,}", lambda m: f"{float(m.group()):.4g}", line)
