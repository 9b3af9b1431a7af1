"""``netdef data``: what is printed, what is written, and how mistakes are told."""
from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest

from netdef import data
from netdef.datasets.published import PUBLISHED
from netdef.datasets.records import encode


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of its own to work in, with two classes of two pictures in ``pets``."""
    monkeypatch.chdir(tmp_path)
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(2):
            (tmp_path / "pets" / name / f"{i}.png").write_bytes(encode(np.full((3, 6, 4), 50 * label + i, np.uint8), "png"))
    return tmp_path


def test_help_imports_nothing_heavy(run):
    done = run("data", "--help")
    assert done.status == 0 and "split" in done.out
    done = run("data", "shw")
    assert done.status == 2 and "did you mean 'show'" in done.err


def test_the_whole_way(here, run):
    done = run("data", "make", "db", "--from", "pets", "--resize", "5x3", "--shuffle")
    assert done.status == 0 and "wrote db: 4 records (lmdb)" in done.out and "next: netdef data info db" in done.out
    assert data.open("db").shape == (3, 5, 3)
    done = run("data", "info", "db", "--picture", "p.png")
    assert "records        4" in done.out and "0 cat        2  50.0 %" in done.out and (here / "p.png").exists()
    done = run("data", "mean", "db", "m.binaryproto")
    assert "mean_value channel [0]: 25.5000" in done.out and "mean_value: 25.5000 }" in done.out
    assert run("data", "check", "db").status == 0
    done = run("data", "split", "db", "--into", "a.npz=0.5,b-folder=0.5", "--stratify")
    assert done.status == 0 and (here / "b-folder/labels.txt").read_text() == "cat\ndog\n"
    assert np.load("a.npz")["label"].tolist() != [0, 0] and np.load("a.npz")["data"].shape == (2, 3, 5, 3)
    done = run("data", "convert", "b-folder", "b.h5")
    assert "wrote b.h5.txt" in done.out and (here / "b.h5.txt").read_text() == "b.h5\n"


def test_json(here, run):
    info = json.loads(run("data", "info", "pets", "--json", "--picture", "p.png").out)
    assert info["classes"] == {"0 cat": 2, "1 dog": 2} and info["storage"] == {"png (encoded)": 4}
    report = json.loads(run("data", "check", "pets", "pets/../pets", "--json").out)
    assert report["wrong"] == 4 and {f["kind"] for f in report["findings"]} == {"in both sets"}


def test_check_fails_with_status_1(here, run):
    (here / "pets/dog/1.png").write_bytes(b"nothing")
    done = run("data", "check", "pets")
    assert done.status == 1 and re.search(r"pets/dog/1.png: error: .*no picture", done.out)


def test_grey_pictures_are_noticed(here, run):
    (here / "pets/cat/0.png").write_bytes(encode(np.zeros((1, 6, 4), np.uint8), "png"))
    assert "--gray stores one" in run("data", "make", "db", "--from", "pets").err
    assert "--gray" not in run("data", "make", "db", "--from", "pets", "--gray", "--force").err
    assert data.open("db").shape == (1, 6, 4)


def test_pictures_of_several_sizes_are_noticed(here, run):
    (here / "pets/dog/0.png").write_bytes(encode(np.zeros((3, 5, 5), np.uint8), "png"))
    done = run("data", "make", "db", "--from", "pets")
    assert done.status == 0 and "pictures differ in size: (3, 6, 4) and (3, 5, 5)" in done.err


@pytest.mark.parametrize(("arguments", "status", "text"), [
    (["make", "db"], 2, "Missing option '--from'"),
    (["make", "db", "--from", "petz"], 1, "petz: error: no such file or folder; did you mean 'pets'?"),
    (["make", "pets", "--from", "pets", "--force"], 1, "pets: error: it is no LMDB, so it is not replaced"),
    (["make", "no/db", "--from", "pets"], 1, "mkdir -p"),
    (["make", "d.npz", "--from", "pets", "--encoded", "png"], 1, "encoded pictures go into an LMDB"),
    (["make", "db", "--from", "pets", "--part", "train"], 1, "--part is not for this source (folder); folder: takes classes"),
    (["make", "db", "--from", "csv:no.csv"], 1, "no.csv"),
    (["mean", "pets", "mean.png"], 1, "ends in .binaryproto or .npy"),
    (["split", "pets", "--into", "a=0.9,b=0.2"], 1, "the shares add up to 1.1"),
    (["convert", "pets", "x.idx"], 1, "expected 'images' in the name"),
    (["show", "no.yaml"], 1, "no file 'no.yaml'"),
    (["get", "mnit"], 2, "'mnit' is not one of"),
    (["info", "pets/cat"], 1, "expected a database"),
])
def test_mistakes(here, run, arguments, status, text):
    done = run("data", *arguments)
    assert (done.status, text in done.err) == (status, True), done.err
    assert sorted(p.name for p in here.iterdir() if p.name != ".x.idx.partial") == ["pets"]


@pytest.mark.parametrize(("package", "arguments", "text"), [
    ("lmdb", ["make", "db", "--from", "pets"], "writing an LMDB needs the package lmdb, which is not installed; pip install"),
    ("h5py", ["make", "d.h5", "--from", "pets"], "writing HDF5 needs the package h5py, which is not installed; pip install"),
    ("PIL", ["info", "builtin:mnist10k/test", "--limit", "1", "--picture", "p.png"], "needs Pillow, which is not installed"),
])
def test_missing_packages(here, run, monkeypatch, package, arguments, text):
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    done = run("data", *arguments)
    assert done.status == 1 and text in done.err and "Traceback" not in done.err


def test_show(here, run):
    (here / "net.yaml").write_text("name: n\nlayers:\n  - d: {Data: {source: 'builtin:mnist10k/train', batch_size: 3}, "
                                   "top: [data, label], transform_param: {scale: 0.5}}\n")
    done = run("data", "show", "net.yaml", "--count", "4", "--set", "layer.d.transform_param.crop_size=20")
    assert done.status == 0 and "wrote sheet.png: 4 items of d (Data), TRAIN: 1x20x20, values 0 to 127.5" in done.out


def test_get_from_a_folder(here, run, monkeypatch):
    import gzip
    import hashlib
    from dataclasses import replace

    from netdef.data.builtin import open_builtin
    from netdef.datasets.published import File
    from netdef.datasets.write_arrays import _idx

    files = []
    (here / "in").mkdir()
    source = open_builtin("builtin:mnist10k/test")
    for part in ("train", "t10k"):
        for name, array in (("images-idx3", source.images[:20, 0]), ("labels-idx1", source.labels()[:20].astype(np.uint8))):
            path = here / "in" / f"{part}-{name}-ubyte.gz"
            with gzip.open(path, "wb") as file:
                _idx(file, array)
            files.append(File(path.name[:-3], hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()))
    monkeypatch.setitem(PUBLISHED, "mnist", replace(PUBLISHED["mnist"], files=tuple(files)))
    done = run("data", "get", "mnist", "--from", "in")
    assert done.status == 0 and "wrote mnist/train: 20 records (lmdb)" in done.out and "next: netdef new lenet" in done.out
    assert (data.open("mnist/test").batch(0, 20)[0] == source.images[:20]).all() and not (here / "mnist/downloads").exists()
    assert "something already" in run("data", "get", "mnist", "--from", "in").err
    assert "mnist/train is there already" in run("data", "get", "mnist", "--from", "in", "--resume").out
    done = run("data", "get", "fashion-mnist", "--from", "in")
    assert done.status == 1 and "expected the SHA-256" in done.err
