"""NumPy's files as sources."""
from __future__ import annotations

import numpy as np
import pytest

from netdef import data
from netdef.data.arrays import as_labels, as_records, columns
from netdef.errors import DataError

ROWS = np.arange(12, dtype=np.float64).reshape(4, 3)


def test_npz(tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, x=ROWS, y=np.array([3, 1, 2, 0]), weight=ROWS[:, 0] / 8)
    source = data.open(f"npz:{file}")
    assert source.peek() == data.Peek((3, 1, 1), 4, True, "npz") == data.peek(file)
    assert source.labels().tolist() == [3, 1, 2, 0] and source.labels().dtype == np.int32
    assert source.record(2)[0].ravel().tolist() == [6, 7, 8] and source.record(2)[0].dtype == np.float32
    several = data.open(f"npz:{file},data=x,label=y,label=weight")
    assert several.label_shape == (2,) and several.record(1)[1].tolist() == [1, 0.375]
    assert not data.open(f"npz:{file},label=none").has_labels


def test_npy(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 2, 5, 6), np.uint8))
    np.save(tmp_path / "y.npy", np.array([[0.5], [1], [2], [3]]))
    source = data.open(f"npy:{tmp_path}/x.npy,{tmp_path}/y.npy")
    assert source.shape == (2, 5, 6) and source.record(0)[0].dtype == np.uint8
    assert source.label_shape == () and source.labels().tolist() == [0.5, 1, 2, 3]
    assert not data.open(tmp_path / "x.npy").has_labels


@pytest.mark.parametrize("rows, shape", [((), (1, 1, 1)), ((7,), (7, 1, 1)), ((4, 5), (1, 4, 5)), ((3, 4, 5), (3, 4, 5))])
def test_ranks(rows, shape):
    assert as_records(np.zeros((2, *rows)), "x").shape == (2, *shape)


@pytest.mark.parametrize("make, message", [
    (lambda: as_records(np.zeros((2, 1, 1, 1, 1)), "x"), "x: error: expected records of up to 3 axes (channels, height, width), "
     "got 1x1x1x1"),
    (lambda: as_records(np.zeros((0, 3)), "x"), "x: error: expected records of numbers, got an array of shape (0, 3) and type "
     "float64"),
    (lambda: as_records(np.array(["a"]), "x"), "x: error: expected records of numbers, got an array of shape (1,) and type <U1"),
    (lambda: as_labels(np.array([2**31, 0]), 2, "y"), "y: error: labels are out of the range of 32 bits"),
    (lambda: as_labels(np.zeros(3), 2, "y"), "y: error: expected a label for each of the 2 records, got 3"),
])
def test_arrays_that_cannot_be(make, message):
    with pytest.raises(DataError) as caught:
        make()
    assert str(caught.value) == message


def test_columns():
    assert columns([np.array([1, 2], np.int32), np.array([[3, 4], [5, 6]], np.int32)]).tolist() == [[1, 3, 4], [2, 5, 6]]


def test_files_that_are_none(tmp_path):
    np.savez(tmp_path / "a.npz", left=ROWS)
    np.save(tmp_path / "o.npy", np.array([None]), allow_pickle=True)
    (tmp_path / "t.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-30])
    (tmp_path / "b.npy").write_bytes(b"nothing of the kind")
    for source, message in [
        (f"npz:{tmp_path}/a.npz", "no array 'data'; the file has left; npz:"),
        (f"npz:{tmp_path}/a.npz,data=lefft", "no array 'lefft'; the file has left; did you mean 'left'?"),
        (f"npy:{tmp_path}/a.npz", "expected one array"), (f"npz:{tmp_path}/none.npz", "cannot read the NumPy file: No such"),
        (f"npy:{tmp_path}/o.npy", "expected a NumPy file of numbers"), (f"npz:{tmp_path}/t.npz", "it is none or is cut off"),
        (f"npy:{tmp_path}/b.npy", "it is none or is cut off"),
    ]:
        with pytest.raises(DataError, match=message.replace("?", r"\?")):
            data.open(source)
