"""Reading by the first bytes, writing by the extension."""
from __future__ import annotations

import numpy as np
import pytest

from netdef import weights
from netdef.errors import WeightsError

LAYERS = [("x", "Bias", [np.ones(3, "f4")])]


@pytest.mark.parametrize("name, kind", [
    ("a.npz", "npz"), ("a.caffemodel", "V2"), ("a", "V2"), ("a.caffemodel.h5", "hdf5"), ("a.HDF5", "hdf5"),
    ("a.safetensors", "safetensors")])
def test_extension_decides_writing_and_content_reading(tmp_path, name, kind):
    weights.write(tmp_path / name, LAYERS, "net")
    (tmp_path / name).rename(tmp_path / "renamed")
    found = weights.read(tmp_path / "renamed")
    assert found.format == kind
    np.testing.assert_array_equal(found.layers["x"][0], [1, 1, 1])


def test_missing(tmp_path):
    with pytest.raises(WeightsError, match="No such file"):
        weights.read(tmp_path / "a")


def test_an_ending_alone_makes_no_safetensors(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0")
    with pytest.raises(WeightsError, match="expected a .safetensors; byte 0 of 8: a header of 8 bytes does not fit"):
        weights.read(tmp_path / "a.safetensors")
