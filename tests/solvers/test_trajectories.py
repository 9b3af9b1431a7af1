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


NEAR = 1e-5  # of the largest magnitude in the reference array


def near(found, expected, tolerance=NEAR):
    return np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def check(solver, reference, iteration, tolerance=NEAR):
    for layer, blobs in solver.net.params.items():
        for i, blob in enumerate(blobs):
            assert near(blob.data, reference[f"iter{iteration}/{layer}/{i}"], tolerance), (iteration, layer, i)


def last_losses(solver):
    """The loss of the last pass of each iteration to come, as the reference runs noted it."""
    losses = []
    solver.listen(lambda event: losses.append(float(solver.net.blobs["loss"].data))
                  if type(event).__name__ == "GradientsReady" else None)
    return losses


@pytest.mark.parametrize("name", NAMES)
def test_twenty_updates(caffe, shared, name):
    solver = caffe(name, weights="init.caffemodel")
    reference = np.load(shared / "conformance" / "solvers" / f"{name}.npz")
    losses = last_losses(solver)
    for iteration in range(1, 21):
        solver.step(1)
        check(solver, reference, iteration)
    assert near(losses, reference["losses"])


@pytest.mark.parametrize("name", NAMES)
def test_going_on_from_a_snapshot_of_caffe(caffe, shared, name):
    solver = caffe(name, snapshot=f"{name}_iter_10.solverstate")
    reference = np.load(shared / "conformance" / "solvers" / f"{name}.npz")
    losses = last_losses(solver)
    assert solver.iter == 10
    check(solver, reference, 10, 0)
    for iteration in range(11, 21):
        solver.step(1)
        check(solver, reference, iteration)
    assert near(losses, reference["losses"][10:])


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
        assert near(mine, other)
    net = schema.new("NetParameter")
    net.ParseFromString(model.read_bytes())
    assert {layer.name: len(layer.blobs) for layer in net.layer}["conv"] == 2


def test_the_log_of_a_run(caffe, shared):
    """Line for line, debug_info and all; but for the speed, and for numbers which differ in the last digit printed."""
    solver = caffe(folder="log")
    found = []
    solver.listen(lambda event: found.extend(lines(event)))
    solver.solve()
    log = (shared / "conformance" / "log" / "log.txt").read_text()
    kept = [re.sub(r"^[IE]\d+ \S+ +\d+ \S+\] ", "", line) for line in log.splitlines()]
    expected = kept[kept.index("Solving solver_case"):-1]
    assert expected[-1] == kept[-1] == "Optimization Done."  # Caffe's solver and its tool both say so
    assert len(expected) == len(found) > 100
    for mine, theirs in zip(map(parted, found), map(parted, expected), strict=True):
        assert mine[0] == theirs[0]
        np.testing.assert_allclose(mine[1], theirs[1], rtol=1e-5)


def parted(line):
    """The line with gaps for its numbers, and the numbers; without the speed."""
    line = re.sub(r"\(\S+ iter/s, \S+s/", "(? iter/s, ?s/", line)
    number = r"(?<![\w#])\d+(?:\.\d+)?(?:e[-+]\d+)?(?!\w)"
    return re.sub(number, "@", line), [float(n) for n in re.findall(number, line)]
