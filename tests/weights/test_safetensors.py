"""Our own reader and writer of .safetensors."""
from __future__ import annotations

import contextlib
import json
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netdef import weights
from netdef.errors import WeightsError

LAYERS = {
    "a/conv": [np.arange(6, dtype="f4").reshape(2, 3), np.ones(2, "f8")],
    "half": [np.arange(3, dtype="f2")],
    "ints": [np.arange(3, dtype=">i4"), np.array([True, False])],
    "scalar": [np.array(3, "f4")],
    "none": [np.zeros((0, 3), "f4")],
}


def packed(header, body=b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def failure(path, raw: bytes) -> str:
    path.write_bytes(raw)
    with pytest.raises(WeightsError) as caught:
        weights.read_safetensors(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_round_trip(tmp_path):
    path = tmp_path / "x.safetensors"
    weights.write_safetensors(path, LAYERS, "net")
    found = weights.read_safetensors(path)
    assert found.format == "safetensors" and found.net_name == "net" and list(found.layers) == list(LAYERS)
    for name, arrays in LAYERS.items():
        for mine, theirs in zip(arrays, found.layers[name], strict=True):
            assert mine.shape == theirs.shape and mine.dtype.kind == theirs.dtype.kind
            np.testing.assert_array_equal(mine, theirs)
    assert not found.layers["a/conv"][0].flags.owndata


def test_the_bytes_are_those_of_the_format(tmp_path):
    path = tmp_path / "x.safetensors"
    weights.write_safetensors(path, {"ip": [np.array([1, 2], "f4")]})
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    assert length % 8 == 0 and json.loads(raw[8 : 8 + length]) == {
        "ip/0": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    assert raw[8 + length :] == np.array([1, 2], "<f4").tobytes()


def test_bfloat16_and_any_order(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(packed({
        "a/1": {"dtype": "F32", "shape": [], "data_offsets": [4, 8]},
        "a/0": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}, b"\x80\x3f\x00\xc0" + struct.pack("<f", 7)))
    found = weights.read(path).layers["a"]
    np.testing.assert_array_equal(found[0], np.array([1, -2], "f4"))
    assert found[1] == 7


ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


@pytest.mark.parametrize(("raw", "words"), [
    (b"", "empty"), (b"abc", "byte 0 of 3: the length of the header needs 8 bytes"),
    (struct.pack("<Q", 2**63), "byte 0 of 8: a header of 9223372036854775808 bytes"),
    (packed(b"{,}"), "byte 9 of 11: the header is no JSON"), (packed(b"[]"), "no JSON object"),
    (packed(b'{"\xff":1}'), "byte 10 of 15: the header is not UTF-8"), (packed(b"[" * 100_000), "byte 8"),
    (packed(b'{"a":1,"a":2}'), "a name comes twice"), (packed(b'{"a/0":' + b"9" * 5000 + b"}"), "byte 8"),
    (packed({"a/0": ONE}), "needs 4 bytes, its place is 0 to 4 of 0"),
    (packed({"a/0": {**ONE, "data_offsets": [0, 8]}}, bytes(8)), "needs 4 bytes, its place is 0 to 8 of 8"),
    (packed({"a/0": {**ONE, "shape": [2**40, 2**40]}}, bytes(8)), "needs"),
    (packed({"a/0": {**ONE, "shape": [-1]}}, bytes(4)), "a strange shape"),
    (packed({"a/0": {**ONE, "shape": [1.0]}}, bytes(4)), "a strange shape"),
    (packed({"a/0": {**ONE, "shape": [1] * 40}}, bytes(4)), "a strange shape"),
    (packed({"a/0": {**ONE, "dtype": "F8_E4M3"}}, bytes(4)), "unknown dtype 'F8_E4M3'"),
    (packed({"a/0": {"dtype": "F32"}}), "lacks dtype, shape or data_offsets"), (packed({"a/0": 1}), "lacks dtype"),
    (packed({"conv1.weight": ONE}, bytes(4)), "expected tensors named '<layer>/<index>', got 'conv1.weight'"),
    (packed({"a/1": ONE}, bytes(4)), "tensor 'a/0' is missing"),
])
def test_damaged_and_hostile_files(tmp_path, raw, words):
    tracemalloc.start()
    assert words in failure(tmp_path / "x", raw)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_what_is_no_number_is_refused(tmp_path):
    with pytest.raises(TypeError, match="expected arrays of numbers, got <U1 for 'a/0'"):
        weights.write_safetensors(tmp_path / "x", {"a": [np.array(["x"])]})


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "x"
    weights.write_safetensors(path, LAYERS, "net")
    return path, path.read_bytes()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_raises_only_weights_errors(sound, data):
    path, raw = sound
    broken = bytearray(raw[: data.draw(st.integers(0, len(raw)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if broken:
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    target = path.with_suffix(".broken")
    target.write_bytes(broken)
    for read in (weights.read, weights.read_safetensors):
        with contextlib.suppress(WeightsError):
            read(target)
