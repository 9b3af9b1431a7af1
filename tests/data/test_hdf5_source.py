"""Rows of HDF5 files as records."""
from __future__ import annotations

import numpy as np
import pytest

from netdef import data
from netdef.errors import DataError

h5py = pytest.importorskip("h5py")


@pytest.fixture
def files(tmp_path):
    rows = np.arange(7)
    for name, some in (("a", rows[:3]), ("b", rows[3:])):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["data"] = some[:, None, None] * np.ones((1, 2, 4))
            file["label"], file["angle"], file["deep"] = some * 1.0, some / 2, np.zeros((len(some), 1, 1, 1, 1))
    (tmp_path / "list.txt").write_text("a.h5\nb.h5\n")
    return tmp_path


def test_a_list_and_a_file(files):
    source = data.open(f"hdf5:{files}/list.txt")
    assert isinstance(source, data.Source) and source.peek() == data.Peek((1, 2, 4), 7, True, "hdf5")
    images, labels = source.take([6, 0, 3, 4, 9])
    assert images[:, 0, 1, 1].tolist() == labels.tolist() == [6, 0, 3, 4, 2] and images.dtype == np.float32
    assert source.labels().tolist() == list(range(7)) and source.labels().dtype == np.int32
    source.close()
    source.close()
    assert len(data.open(files / "b.h5")) == 4


def test_names_of_datasets(files):
    source = data.open(f"hdf5:{files}/a.h5,data=angle,label=label,label=angle")
    assert source.shape == (1, 1, 1) and source.batch(0, 3)[1].tolist() == [[0, 0], [1, 0.5], [2, 1]]
    alone = data.open(f"hdf5:{files}/a.h5,label=none")
    assert not alone.has_labels and alone.labels().tolist() == [0, 0, 0]
    assert data.open(f"hdf5:{files}/a.h5,label=angle").labels().tolist() == [0, 0.5, 1]


def test_mistakes(files):
    for options, message in ((",data=x", "no dataset 'x'"), (",data=deep", "dataset 'deep': expected records of up to 3 axes")):
        with pytest.raises(DataError, match=message):
            data.open(f"hdf5:{files}/a.h5{options}")
    (files / "c.h5").write_bytes((files / "a.h5").read_bytes()[:600])
    with pytest.raises(DataError, match="the HDF5 file cannot be opened"):
        data.open(f"hdf5:{files}/c.h5")
