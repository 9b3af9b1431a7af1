"""How sources are written, and what is said about those that cannot be meant."""
from __future__ import annotations

import pytest

from netdef import data
from netdef.data.spelling import KINDS, parse, resolved
from netdef.errors import DataError


def test_parts():
    found = parse("csv:a b.csv, label=species ,label=2,header=no")
    assert (found.kind, found.paths, found.option("header")) == ("csv", ("a b.csv",), "no")
    assert found.every("label") == ["species", "2"]
    assert parse("idx:images.gz,labels.gz").paths == ("images.gz", "labels.gz")
    assert parse("data/train_lmdb") is None and parse("/a=b,c/db") is None
    assert parse("x/TRAIN.CSV").kind == "csv" and parse("x.npz").paths == ("x.npz",)
    assert parse("C:\\data\\db") is None, "a drive is no kind"


def test_a_name_with_a_colon_that_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run:1").mkdir()
    assert parse("run:1") is None


@pytest.mark.parametrize("source, message", [
    ("cvs:a.csv", "cvs:a.csv: error: unknown kind of source 'cvs:'; there are lmdb, leveldb, idx, npy, npz, csv, tsv, folder, "
     "list, cifar10, cifar100, hdf5, builtin, and paths of databases"),
    ("foldr:a", "foldr:a: error: unknown kind of source 'foldr:'; did you mean 'folder'?"),
    ("csv:a.csv,lable=b", "csv:a.csv,lable=b: error: sources of kind 'csv' have no option 'lable'; did you mean 'label'?"),
    ("npz:a.npz,shape=3", "npz:a.npz,shape=3: error: sources of kind 'npz' have no option 'shape'; it is written npz:FILE.npz or "
     "npz:FILE.npz,data=NAME,label=NAME"),
    ("idx:a,b,c", "idx:a,b,c: error: expected 1 to 2 paths, got 3; it is written idx:IMAGES or idx:IMAGES,LABELS"),
    ("folder:", "folder:: error: expected 1 path, got 0; it is written folder:FOLDER, with a folder of pictures for each class"),
    ("csv:a,shape=2,shape=3", "csv:a,shape=2,shape=3: error: option 'shape' is given twice"),
])
def test_mistakes(source, message):
    with pytest.raises(DataError) as caught:
        parse(source)
    assert str(caught.value) == message


def test_paths_are_put_in():
    seen = []

    def find(path):
        seen.append(path)
        return f"/at/{path}"

    assert resolved("list:a.txt,root=img,labels=2,classes=c.txt", find) == (
        "list:/at/a.txt,root=/at/img,labels=2,classes=/at/c.txt")
    assert seen == ["a.txt", "img", "c.txt"]
    assert resolved("db", find) == "/at/db" and resolved("a.csv", find) == "/at/a.csv"
    assert resolved("builtin:xor", find) == "builtin:xor"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_names_a_function_that_is_there(kind):
    from netdef.data.opening import _function

    assert callable(_function(KINDS[kind].opener)) and KINDS[kind].form.startswith(f"{kind}:")
    assert not KINDS[kind].peek or callable(_function(KINDS[kind].peek))
    assert {*KINDS[kind].path_options, *KINDS[kind].repeated} <= set(KINDS[kind].options)


def test_options_of_databases_alone(tmp_path):
    (tmp_path / "a.csv").write_text("1,0\n2,1\n")
    with pytest.raises(DataError, match="backend LMDB is for databases, and the source is of kind 'csv'; leave backend out"):
        data.open(f"csv:{tmp_path}/a.csv", "LMDB")
    with pytest.raises(DataError, match="force_gray is for encoded pictures, and the source is of kind 'csv'"):
        data.open(f"csv:{tmp_path}/a.csv", force_gray=True)
    with pytest.raises(DataError, match="no such file or folder"):
        data.open(f"lmdb:{tmp_path}/none")
