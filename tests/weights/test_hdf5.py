"""Caffe's HDF5 layout: real files, names with slashes, shared params, damaged and hostile files."""
from __future__ import annotations

import random
import sys

import numpy as np
import pytest

from netdef import weights
from netdef.errors import WeightsError

h5py = pytest.importorskip("h5py")

W = np.arange(6, dtype="f4").reshape(2, 3)
LAYERS = [
    ("data", "Input", []),
    ("a/conv", "Convolution", [W, np.ones(2, "f8")]),
    ("a/ip", "InnerProduct", [np.full((3, 1), 2, "f4")]),
    ("scalar", "Scale", [np.array(3, "f4")]),
    ("none", "Embed", [np.zeros((0, 3), "f4")]),
]


@pytest.fixture
def path(tmp_path):
    weights.write_hdf5(tmp_path / "x.h5", LAYERS)
    return tmp_path / "x.h5"


def failure(path) -> str:
    with pytest.raises(WeightsError) as caught:
        weights.read_hdf5(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_round_trip(path):
    found = weights.read_hdf5(path)
    assert found.format == "hdf5" and sorted(found.layers) == sorted(name for name, _, _ in LAYERS)
    for name, _, arrays in LAYERS:
        for mine, theirs in zip(arrays, found.layers[name], strict=True):
            assert mine.dtype == theirs.dtype and not found.is_legacy(name, 0)
            np.testing.assert_array_equal(mine, theirs)
    assert not found.layers["a/conv"][0].flags.owndata, "a view of the file"
    assert [p.name for p in path.parent.iterdir()] == ["x.h5"], "nothing is left aside"


def test_a_file_of_caffes(shared):
    folder = shared / "conformance/solvers"
    found = weights.read(folder / "h5snap_iter_10.caffemodel.h5")
    assert {name: [a.shape for a in arrays] for name, arrays in found.layers.items()} == {
        "conv": [(4, 2, 3, 3), (4,)], "data": [], "ip": [(3, 48), (3,)], "loss": [], "relu": []}
    same = weights.read(folder / "sgd_momentum_decay_step_iter_10.caffemodel")
    np.testing.assert_allclose(found.layers["ip"][0], same.layers["ip"][0], rtol=1e-6)


def test_shared_arrays_are_stored_once(tmp_path):
    big = np.ones((100, 100), "f4")
    weights.write_hdf5(tmp_path / "x.h5", [("a", "", [big]), ("b", "", [big[:]]), ("c", "", [big.copy()])])
    assert 80_000 < (tmp_path / "x.h5").stat().st_size < 100_000
    found = weights.read_hdf5(tmp_path / "x.h5")
    assert [len(found.layers[n]) for n in "abc"] == [1, 1, 1]


def test_params_that_caffe_leaves_out(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data/a/1"] = np.ones(2, "f4")
        file["data/b/10"] = file["data/b/9"] = np.ones(2, "f4")
    found = weights.read_hdf5(tmp_path / "x.h5")
    assert list(found.numbered("a")) == [1] and list(found.numbered("b")) == [9, 10]


@pytest.mark.parametrize("name", ["", "/a", "a//b", "a/", "..", "a/./b", "a\0b"])
def test_names_that_no_group_can_have(tmp_path, name):
    with pytest.raises(WeightsError, match="cannot be a group's name in HDF5"):
        weights.write_hdf5(tmp_path / "x.h5", [(name, "", [W])])
    assert not list(tmp_path.iterdir())


def test_a_layer_called_as_another_ones_array(tmp_path):
    with pytest.raises(WeightsError, match="'a/0' cannot be a group's name"):
        weights.write_hdf5(tmp_path / "x.h5", [("a", "", [W]), ("a/0", "", [W])])


def test_compressed_and_other_dtypes(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("data/a/0", data=np.zeros(50_000, "f4"), compression="gzip")
        file.create_dataset("data/a/1", data=np.arange(3, dtype=">f8"))
        file.create_dataset("data/a/2", data=np.arange(3, dtype="f2"))
    found = weights.read_hdf5(tmp_path / "x.h5").layers["a"]
    assert not found[0].any()
    np.testing.assert_array_equal(found[1], found[2])


@pytest.mark.parametrize(("make", "words"), [
    (lambda f: f.create_group("history"), "a solver's state"),
    (lambda f: f.create_dataset("x", data=1), "it holds x"),
    (lambda f: f.create_dataset("data/a", data=1), "is no group of a layer"),
    (lambda f: f.create_dataset("data/a/weights", data=1), "got '/data/a/weights'"),
    (lambda f: f.create_dataset("data/a/0", data=b"text"), "expected numbers"),
    (lambda f: f.create_group("data").__setitem__("a", h5py.ExternalLink("/etc/x", "/")), "a link to elsewhere"),
    (lambda f: f.create_group("data").__setitem__("a", h5py.SoftLink("/")), "a link to elsewhere"),
    (lambda f: f.create_group("data/a").__setitem__("b", f["data"]), "leads back to a group"),
    (lambda f: f.create_dataset("data/a/0", (10**12,), "f4", chunks=(10**6,), compression="gzip"), "is larger than"),
    (lambda f: f.create_dataset("data/a/0", (10**12,), "f4"), "is larger than"),
    (lambda f: f.create_dataset("data/a/0", (9,), "f4", external=[("/etc/hostname", 0, 36)]), "in another file"),
])
def test_strange_and_hostile_files(tmp_path, make, words):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        make(file)
    assert words in failure(tmp_path / "x.h5")


def test_a_cut_off_file(path):
    raw = path.read_bytes()
    for size in (8, 100, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:size])
        assert f"of its {size} bytes" in failure(path)


def test_damage_raises_only_weights_errors(path, tmp_path):
    raw, draw = path.read_bytes(), random.Random(1)
    for i in range(200):
        broken = bytearray(raw)
        for _ in range(draw.choice([1, 2, 5])):
            broken[draw.randrange(len(raw))] = draw.choice([0, 255, draw.randrange(256)])
        target = tmp_path / f"{i}"
        target.write_bytes(broken)
        try:
            weights.read(target)
        except WeightsError as error:
            assert str(target) in str(error)


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(WeightsError, match="cannot write"):
        weights.write_hdf5(tmp_path / "none/x.h5", LAYERS)


def test_without_the_package(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert "pip install" in failure(path)
