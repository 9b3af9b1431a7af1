"""Weights as .npz."""
from __future__ import annotations

import contextlib
import io
import zipfile

import numpy as np
import pytest

from netdef import weights
from netdef.errors import WeightsError

LAYERS = {
    "a/b": [np.arange(6.0).reshape(2, 3), np.ones(2, "f4")],
    "c": [np.asfortranarray(np.eye(3, 2))],
    "s": [np.array(4)],
}


def archive(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, raw in members.items():
            made.writestr(name.replace("__", "/"), raw)


def npy(array, allow_pickle=False):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=allow_pickle)
    return out.getvalue()


def test_round_trip(tmp_path):
    path = tmp_path / "x.npz"
    weights.write_npz(path, LAYERS)
    found = weights.read(path)
    assert found.format == "npz" and list(found.layers) == list(LAYERS) and not found.is_legacy("c", 0)
    for name, arrays in LAYERS.items():
        for got, wanted in zip(found.layers[name], arrays, strict=True):
            np.testing.assert_array_equal(got, wanted)
            assert got.dtype == wanted.dtype and got.shape == wanted.shape


def test_nothing_at_all(tmp_path):
    weights.write_npz(tmp_path / "x.npz", {})
    assert weights.read(tmp_path / "x.npz").layers == {}


def test_same_bytes_each_time(tmp_path):
    for name in "ab":
        weights.write_npz(tmp_path / name, LAYERS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_objects_are_refused(tmp_path):
    with pytest.raises(TypeError, match="'x/0'"):
        weights.write_npz(tmp_path / "x.npz", {"x": [np.array([None])]})
    path = tmp_path / "x.npz"
    archive(path, x__0=npy(np.array([{}]), allow_pickle=True))
    with pytest.raises(WeightsError, match="numbers"):
        weights.read_npz(path)


@pytest.mark.parametrize(
    "members, words",
    [({"conv": npy(np.ones(1))}, "<layer>/<index>"), ({"conv__1": npy(np.ones(1))}, "expected array 'conv/0'"),
     ({"conv__0": b"junk"}, "magic"), ({"conv__0": npy(np.ones(9))[:-8]}, "needs 72 bytes, got 64")],
)  # fmt: skip
def test_other_archives(tmp_path, members, words):
    path = tmp_path / "x.npz"
    archive(path, **members)
    with pytest.raises(WeightsError, match=words):
        weights.read_npz(path)


def test_a_huge_shape_costs_no_memory(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }\n"
    raw = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(72)
    path = tmp_path / "x.npz"
    archive(path, x__0=raw)
    with pytest.raises(WeightsError, match="larger than the archive"):
        weights.read_npz(path)


def test_truncated(tmp_path):
    path = tmp_path / "x.npz"
    weights.write_npz(path, LAYERS)
    raw = path.read_bytes()
    for size in range(0, len(raw), 37):
        path.write_bytes(raw[:size])
        with pytest.raises(WeightsError):
            weights.read_npz(path)


def test_flipped_bytes_raise_only_weights_errors(tmp_path):
    path = tmp_path / "x.npz"
    weights.write_npz(path, LAYERS)
    raw = path.read_bytes()
    for place in range(len(raw)):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 0x55]) + raw[place + 1 :])
        with contextlib.suppress(WeightsError):
            weights.read_npz(path)
