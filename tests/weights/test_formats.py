"""Reading by the first bytes, writing by the extension."""
from __future__ import annotations

import numpy as np
import pytest

from netdef import weights
from netdef.errors import WeightsError

LAYERS = [("x", "Bias", [np.ones(3, "f4")])]


@pytest.mark.parametrize("name, kind", [("a.npz", "npz"), ("a.caffemodel", "V2"), ("a", "V2")])
def test_extension_decides_writing_and_content_reading(tmp_path, name, kind):
    weights.write(tmp_path / name, LAYERS, "net")
    (tmp_path / name).rename(tmp_path / "renamed")
    found = weights.read(tmp_path / "renamed")
    assert found.format == kind
    np.testing.assert_array_equal(found.layers["x"][0], [1, 1, 1])


def test_hdf5_is_named(tmp_path):
    with pytest.raises(WeightsError, match="HDF5"):
        weights.write(tmp_path / "a.caffemodel.h5", LAYERS)
    (tmp_path / "a").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(WeightsError, match="got HDF5"):
        weights.read(tmp_path / "a")


def test_missing(tmp_path):
    with pytest.raises(WeightsError, match="No such file"):
        weights.read(tmp_path / "a")
