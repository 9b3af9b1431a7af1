"""snapshot_diff: the weights file holds what the last update took off each param, as Caffe's does."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netdef
from netdef import weights
from netdef.config import blobproto, schema
from netdef.solvers.rules import rules

TWO = """
layer { name: "rows" type: "Rows" top: "x" top: "y" }
layer { name: "frozen" type: "InnerProduct" bottom: "x" top: "h" param { lr_mult: 0 } param { lr_mult: 1 }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "ip" type: "InnerProduct" bottom: "h" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "HalfSquares" bottom: "ip" bottom: "y" top: "loss" }
"""


def stored(path):
    net = schema.new("NetParameter")
    net.ParseFromString(Path(path).read_bytes())
    return {layer.name: list(layer.blobs) for layer in net.layer}


def arrays(solver):
    return {name: [p.data.copy() for p in blobs] for name, blobs in solver.net.params.items()}


@pytest.mark.parametrize("kind", sorted(rules()))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_diff_is_what_the_last_update_took_off(solver_file, kind, dtype):
    text = f'type: "{kind}" weight_decay: 0.1 iter_size: 2 clip_gradients: 1 snapshot_prefix: "s" '
    plain = netdef.Solver(solver_file(TWO, text), seed=1, dtype=dtype)
    solver = netdef.Solver(solver_file(TWO, text + "snapshot_diff: true"), seed=1, dtype=dtype)
    solver.step(2)
    before = arrays(solver)
    solver.step(1)
    plain.step(3)
    after = arrays(solver)
    for name, wanted in arrays(plain).items():
        for mine, theirs in zip(after[name], wanted, strict=True):
            np.testing.assert_array_equal(mine, theirs, "training is the same as without")
    model, _ = solver.snapshot()
    for name, blobs in stored(model).items():
        for i, blob in enumerate(blobs):
            data, diff = (blob.double_data, blob.double_diff) if dtype == "float64" else (blob.data, blob.diff)
            np.testing.assert_array_equal(np.array(data, dtype), after[name][i].reshape(-1))
            np.testing.assert_array_equal(np.array(diff, dtype), (before[name][i] - after[name][i]).reshape(-1))
    frozen = stored(model)["frozen"][0]
    assert not any(frozen.diff) and not any(frozen.double_diff) and np.any(before["ip"][0] != after["ip"][0])
    again = netdef.Solver(solver_file(TWO, text), snapshot="s_iter_3.solverstate", dtype=dtype)
    assert all((a == b).all() for name in after for a, b in zip(after[name], arrays(again)[name], strict=True))


def test_without_it_there_are_no_diffs(squares):
    solver = squares('snapshot_prefix: "s"')
    solver.step(1)
    assert not any(len(b.diff) for blobs in stored(solver.snapshot()[0]).values() for b in blobs)


def test_hdf5_has_them_in_a_group_of_their_own(squares):
    h5py = pytest.importorskip("h5py")
    solver = squares('snapshot_prefix: "s" snapshot_diff: true snapshot_format: HDF5')
    before = arrays(solver)
    solver.step(1)
    path, _ = solver.snapshot()
    with h5py.File(path) as file:
        for i in range(2):
            np.testing.assert_array_equal(file[f"diff/ip/{i}"][...], before["ip"][i] - arrays(solver)["ip"][i])
    np.testing.assert_array_equal(weights.read(path).layers["ip"][0], arrays(solver)["ip"][0])


@pytest.mark.parametrize("array", [np.arange(6, dtype="f4").reshape(2, 3), np.ones(3), np.float32(2), np.ones((0, 2), "f4")])
def test_the_bytes_are_protobufs(array):
    diff = np.asarray(array) * 2 + 1
    assert b"".join(blobproto.encode(array, diff)) == blobproto.from_array(array, diff).SerializeToString()
    with pytest.raises(ValueError, match="expected a diff of shape"):
        blobproto.encode(array, np.ones((7, 7)))
