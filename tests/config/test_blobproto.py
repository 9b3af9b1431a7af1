"""BlobProto <-> array, against protobuf's own reading and writing."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.config import blobproto, schema
from netdef.config.blobproto import decode, encode, encode_varint, from_array, tagged, to_array
from netdef.config.wire import WireError


def read(raw: bytes):
    return decode(memoryview(raw), 0, len(raw))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (2, 3), (2, 3, 4, 5, 6), (0,), (3, 0, 2)])
def test_round_trip(shape, dtype):
    array = np.random.default_rng(1).normal(size=shape).astype(dtype)
    raw = b"".join(encode(array))
    message = from_array(array)
    assert raw == message.SerializeToString()
    for back in (read(raw).array, to_array(message)):
        assert back.shape == shape and back.tobytes() == array.tobytes()
        assert back.dtype == (dtype if array.size else "float32")


def test_long_arrays_have_long_lengths():
    array = np.arange(100_000, dtype=np.float32)
    assert b"".join(encode(array)) == from_array(array).SerializeToString()


def test_other_dtypes_and_orders_become_float32():
    array = np.asfortranarray(np.arange(6).reshape(2, 3))
    back = read(b"".join(encode(array))).array
    np.testing.assert_array_equal(back, array)
    assert back.dtype == np.float32


def test_diff():
    message = from_array(np.ones(3, np.float32), np.arange(3))
    assert list(message.diff) == [0, 1, 2]
    assert list(from_array(np.ones(3), np.arange(3)).double_diff) == [0, 1, 2]
    assert (to_array(message) == 1).all()
    with pytest.raises(ValueError, match="shape"):
        from_array(np.ones(3), np.ones(2))


def test_packed_floats_are_viewed_in_place():
    raw = bytearray(b"".join(encode(np.zeros(4, np.float32))))
    view = decode(memoryview(raw), 0, len(raw)).array
    raw[2:6] = np.float32(5).tobytes()
    assert view[0] == 5


def test_legacy_shape_wins_and_is_marked():
    message = schema.new("BlobProto")
    message.num, message.channels, message.height, message.width = 1, 1, 2, 3
    message.data.extend(range(6))
    array, legacy = read(message.SerializeToString())
    assert legacy and array.shape == (1, 1, 2, 3)
    assert to_array(message).shape == (1, 1, 2, 3)


def test_double_data_wins():
    message = from_array(np.ones(2, np.float32))
    message.double_data.extend([3, 4])
    np.testing.assert_array_equal(to_array(message), [3, 4])


def unpacked(values, number, kind, dtype):
    return b"".join(tagged(number, kind) + np.array(v, dtype).tobytes() for v in values)


def test_unpacked_numbers_and_mixed_pieces():
    shape = b"\x3a\x04\x08\x02\x08\x64"  # dims 2 and 100, each a varint of its own
    values = np.arange(200, dtype="<f4")
    packed = tagged(5, 2) + encode_varint(400) + values[100:].tobytes()
    raw = unpacked(values[:100], 5, 5, "<f4") + packed + shape
    np.testing.assert_array_equal(read(raw).array, values.reshape(2, 100))
    message = schema.new("BlobProto")
    message.ParseFromString(raw)
    np.testing.assert_array_equal(to_array(message), values.reshape(2, 100))
    doubles = b"\x3a\x02\x08\x03" + unpacked([1, 2, 3], 8, 1, "<f8")
    assert read(doubles).array.dtype == np.float64


@pytest.mark.parametrize("number, dtype, out", [(0, "<f8", "f8"), (1, "<f4", "f4"), (2, "<f2", "f4"), (3, "<i4", "f4")])
def test_raw_data_of_nvcaffe(number, dtype, out):
    values = np.array([1, 2, -3], dtype)
    raw = b"\x3a\x02\x08\x03" + tagged(10, 0) + encode_varint(number) + tagged(12, 2)
    array = read(raw + encode_varint(values.nbytes) + values.tobytes()).array
    np.testing.assert_array_equal(array, [1, 2, -3])
    assert array.dtype == out


@pytest.mark.parametrize(
    "raw, words",
    [
        (b"\x3a\x02\x08\x05", "shape 5 needs 5 values, got 0"), (b"", "needs 1 values, got 0"),
        (b"\x3a\x0b\x08" + encode_varint(-1), "shape \\(-1,\\)"), (b"\x2a\x03abc", "multiple of 4"),
        (b"\x3a\x22\x0a\x20" + b"\x01" * 32 + b"\x3a\x02\x08\x01", "axes"), (b"\x28\x01", "expected data as 4 bytes"),
        (b"\x0a\x00", "expected num as a varint"), (b"\x50\x09\x62\x00", "unknown type 9"),
    ],
)  # fmt: skip
def test_bad_blobs(raw, words):
    with pytest.raises(WireError, match=words):
        read(raw)


def test_a_shape_that_overflows_costs_no_memory():
    dims = b"".join(b"\x08" + encode_varint(2**62) for _ in range(8))
    with pytest.raises(WireError, match="needs"):
        read(b"\x3a" + encode_varint(len(dims)) + dims)


def test_max_axes_is_caffes():
    array = np.zeros((1,) * blobproto.MAX_AXES, np.float32)
    assert read(b"".join(encode(array))).array.shape == array.shape
