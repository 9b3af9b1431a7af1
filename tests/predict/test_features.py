"""Blobs of many items in one file."""
from __future__ import annotations

import os

import numpy as np
import pytest

from netdef import Predictor
from netdef.errors import NetdefError, WeightsError
from netdef.graph.build import build
from netdef.predict.features import extract_items, extract_own, last_layer
from netdef.predict.rows import Item
from netdef.runtime.net import Net


def read(path):
    """All arrays of a file, by name."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {n: arrays[n] for n in arrays.files}
    h5py = pytest.importorskip("h5py")
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda n, d: found.update({n: d.asstr()[()] if d.dtype.kind == "O" else d[()]})
                        if isinstance(d, h5py.Dataset) else None)
    return found


@pytest.mark.parametrize("name", ["f.npz", "f.h5"])
def test_pictures(tiny, pictures, tmp_path, name):
    predictor = Predictor(*tiny, keep="all")
    shapes = extract_items(predictor.net, ["score", "mean"], predictor.items([pictures]), tmp_path / name, batch=2)
    found = read(tmp_path / name)
    assert shapes == {n: a.shape for n, a in found.items()} == {"score": (3, 3), "mean": (3, 3, 1, 1), "files": (3,)}
    assert found["score"] == pytest.approx(np.eye(3) * 2)
    assert found["files"].tolist() == [str(p) for p in sorted(pictures.iterdir())]
    assert sorted(os.listdir(tmp_path)) == sorted(["deploy.yaml", "tiny.npz", "pictures", name])  # nothing left behind


@pytest.mark.parametrize("name", ["f.npz", "f.h5"])
def test_own_data(small, tmp_path, name):
    with Net(small[0], weights=small[1]) as net:
        extract_own(net, ["score", "data"], 150, tmp_path / name)
    found = read(tmp_path / name)
    with Net(small[0], weights=small[1]) as net:
        batches = [(net.forward(), net.blobs["score"].data.copy(), net.blobs["label"].data.copy()) for _ in range(2)]
    assert np.array_equal(found["score"], np.concatenate([b[1] for b in batches])[:150])
    assert np.array_equal(found["labels"], np.concatenate([b[2] for b in batches])[:150])
    assert found["records"].tolist() == list(range(150))


def test_names_with_slashes(tmp_path):
    (tmp_path / "n.yaml").write_text("layers: [{x: {Input: {shape: {dim: [1, 2]}}}}, {a/b: {Power: {scale: 2}}}]")
    net = Net(tmp_path / "n.yaml")
    for name in ("f.npz", "f.h5"):
        extract_items(net, ["a/b"], [Item("one", {"x": np.ones((1, 2), np.float32)})], tmp_path / name)
        assert read(tmp_path / name)["a/b"].tolist() == [[2, 2]]


def test_no_layer_runs_for_nothing(tiny):
    plan = build(tiny[0], "TEST")
    assert (last_layer(plan, ["mean"]), last_layer(plan, ["mean", "prob"])) == ("mean", "prob")


def test_a_mistake_leaves_the_old_file(tiny, pictures, tmp_path):
    out = tmp_path / "f.npz"
    out.write_bytes(b"precious")
    predictor = Predictor(*tiny, keep="all")
    (pictures / "9.png").write_bytes(b"no picture")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(NetdefError, match="9.png"):
        extract_items(predictor.net, ["score"], predictor.items([pictures]), out)
    assert out.read_bytes() == b"precious" and sorted(os.listdir(tmp_path)) == before


def test_mistakes(tiny, small, tmp_path):
    net = Net(tiny[0])
    with pytest.raises(NetdefError, match="no blob 'scor'; did you mean 'score'"):
        extract_items(net, ["scor"], [], tmp_path / "f.npz")
    with pytest.raises(NetdefError, match="expected a file that ends in .npz, .h5, .hdf5, got 'f.txt'"):
        extract_items(net, ["score"], [], tmp_path / "f.txt")
    with pytest.raises((NetdefError, WeightsError), match="folder"):
        extract_items(net, ["score"], [], tmp_path / "none" / "f.npz")
    with pytest.raises(NetdefError, match="has no data layer"):
        extract_own(net, ["score"], 3, tmp_path / "f.npz")
    with Net(small[0]) as other, pytest.raises(NetdefError, match=r"'loss' has the shape \(\) for a batch of 100"):
        extract_own(other, ["loss"], 3, tmp_path / "f.npz")


def test_items_of_one_size_are_wanted(tmp_path):
    (tmp_path / "n.yaml").write_text("layers: [{x: {Input: {shape: {dim: [1, 1, 2, 2]}}}}, {y: {Power: {}}}]")
    items = [Item(str(k), {"x": np.ones((1, 1, k, 2), np.float32)}) for k in (2, 3)]
    with pytest.raises(NetdefError, match=r"blob 'y' had the shape \(1, 2, 2\) an item and now has \(1, 3, 2\)"):
        extract_items(Net(tmp_path / "n.yaml"), ["y"], items, tmp_path / "f.npz")
