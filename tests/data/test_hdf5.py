"""Rows from lists of HDF5 files: order, rounds, shuffling, and what is refused."""
import sys

import numpy as np
import pytest

from netdef.data import hdf5
from netdef.errors import DataError

h5py = pytest.importorskip("h5py")


@pytest.fixture
def write(tmp_path):
    """``write(name, **datasets)``: the path of a file with these."""

    def make(name, **datasets):
        with h5py.File(tmp_path / name, "w") as file:
            for key, values in datasets.items():
                file[key] = values
        return str(tmp_path / name)

    return make


@pytest.fixture
def two(write):
    """Rows 0 to 2 in one file, 3 to 7 in another; the number of a row is also its label."""
    rows = np.arange(8.0)
    return [write(f"{k}.h5", x=np.stack([r, 10 * r], 1), y=r.astype(np.int16))
            for k, r in enumerate((rows[:3], rows[3:]))]


def read(rows, start, count):
    x, y = np.empty((count, 2), np.float32), np.empty(count, np.float32)
    rows.fill(start, [x, y])
    assert (x[:, 0] == y).all() and (x[:, 1] == 10 * y).all()
    return y.astype(int).tolist()


def opened(files, **options):
    return hdf5.Hdf5Rows(hdf5.peek_rows(files, ["x", "y"]), ["x", "y"], **options)


def test_peek(two):
    found = hdf5.peek_rows(two, ["x", "y"])
    assert (found.rows, found.shapes) == ((3, 5), ((2,), ()))


def test_batches_span_files_and_rounds(two):
    rows = opened(two)
    assert len(rows) == 8
    assert read(rows, 2, 3) == [2, 3, 4]
    assert read(rows, 5, 12) == [5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0]
    assert read(rows, 1, 1) == [1]
    rows.close()
    assert read(rows, 8, 2) == [0, 1]


def test_shuffle_keeps_files_together(two):
    rows = opened(two, shuffle=True, seed=3, name="rows")
    rounds = [read(rows, 8 * k, 8) for k in range(12)]
    assert all(sorted(r) == list(range(8)) for r in rounds)
    for r in rounds:
        first, rest = (r[:3], r[3:]) if r[0] < 3 else (r[5:], r[:5])
        assert sorted(first) == [0, 1, 2] and sorted(rest) == [3, 4, 5, 6, 7]
    assert {r[0] < 3 for r in rounds} == {True, False}  # the files change places
    assert len({tuple(r) for r in rounds}) > 6
    again = opened(two, shuffle=True, seed=3, name="rows")
    assert [read(again, 8 * k + 4, 8) for k in range(3)] == [rounds[k][4:] + rounds[k + 1][:4] for k in range(3)]
    other = opened(two, shuffle=True, seed=4, name="rows")
    assert [read(other, 8 * k, 8) for k in range(12)] != rounds


def test_which_record_it_was(two):
    rows = opened(two, shuffle=True, seed=3, name="rows")
    assert [rows.record(k) for k in range(30)] == [read(rows, k, 1)[0] for k in range(30)]


def test_list_is_read_by_lines(tmp_path, write, monkeypatch):
    write("a b.h5", x=[1.0])
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "list.txt").write_text("\n../a b.h5  \n\n" + str(tmp_path / "a b.h5") + "\nhere.h5")
    monkeypatch.chdir(tmp_path)
    write("here.h5", x=[1.0])
    names = hdf5.read_list(tmp_path / "sub" / "list.txt")
    assert names == [str(tmp_path / "a b.h5")] * 2 + [str(tmp_path / "here.h5")]


@pytest.mark.parametrize("text, message", [
    (None, "the list of HDF5 files cannot be read"),
    (" \n\n", "the list names no HDF5 file"),
    ("a.h5\nmissing.h5", "no file 'missing.h5': tried"),
])
def test_bad_lists(tmp_path, write, text, message):
    write("a.h5", x=[1.0])
    if text is not None:
        (tmp_path / "list.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        hdf5.read_list(tmp_path / "list.txt")


@pytest.mark.parametrize("second, message", [
    ({"x": [[1.0, 2]]}, "no dataset 'y', the name of a top; the file has 'x'"),
    ({"x": [[1.0, 2]], "y": [1, 2]}, "expected datasets with as many rows each, got 'x' 1, 'y' 2"),
    ({"x": [[1.0, 2, 3]], "y": [1]}, r"dataset 'x': expected rows of shape \(2,\), as in '.*0.h5', got \(3,\)"),
    ({"x": [[1.0, 2]], "y": [b"a"]}, "dataset 'y': expected rows of numbers, got shape"),
    ({"x": [[1.0, 2]], "y": 3.0}, r"dataset 'y': expected rows of numbers, got shape \(\)"),
])
def test_bad_files(two, write, second, message):
    with pytest.raises(DataError, match=message) as caught:
        hdf5.peek_rows([two[0], write("bad.h5", **second)], ["x", "y"])
    assert str(caught.value.where).endswith("bad.h5")


def test_no_rows(write):
    with pytest.raises(DataError, match="there are no rows"):
        hdf5.peek_rows([write("empty.h5", x=np.zeros((0, 2)))], ["x"])


def test_no_hdf5_file(tmp_path):
    (tmp_path / "a.h5").write_text("not HDF5")
    with pytest.raises(DataError, match="the HDF5 file cannot be opened"):
        hdf5.peek_rows([str(tmp_path / "a.h5")], ["x"])


def test_without_h5py(two, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"needs the package h5py, which is not installed; pip install netdef\[data\]"):
        hdf5.peek_rows(two, ["x"])
