"""Mean files: .npy here, .binaryproto through transforms.read_mean."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.config import blobproto
from netdef.data.mean_file import read_mean_file
from netdef.errors import DataError

MEAN = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize("array, wanted", [(MEAN, MEAN), (MEAN[None].astype("f8"), MEAN), (np.array([1, 2, 3]), [1, 2, 3])])
def test_npy(tmp_path, array, wanted):
    np.save(tmp_path / "m.npy", array)
    read = read_mean_file(tmp_path / "m.npy")
    assert read.dtype == np.float32 and np.array_equal(read, wanted)


def test_binaryproto(tmp_path):
    (tmp_path / "m.binaryproto").write_bytes(blobproto.from_array(MEAN[None]).SerializeToString())
    assert np.array_equal(read_mean_file(tmp_path / "m.binaryproto"), MEAN)


def test_mistakes(tmp_path):
    np.save(tmp_path / "several.npy", np.zeros((2, 3, 4, 4)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "several.npy").read_bytes()[:100])
    np.save(tmp_path / "words.npy", np.array(["a"]))
    for name, error in (("several.npy", "one picture is wanted"), ("cut.npy", "or is cut off"),
                        ("words.npy", "array of numbers"), ("none.npy", "cannot read the mean file: No such")):
        with pytest.raises(DataError, match=error):
            read_mean_file(tmp_path / name)
