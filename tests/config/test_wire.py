"""The wire format reader: every kind of field, and every way in which bytes can be wrong."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.config import wire
from netdef.config.wire import WireError


def fields(raw: bytes):
    return list(wire.Fields(memoryview(raw), 0, len(raw)))


def test_each_kind():
    raw = b"\x08\x96\x01" + b"\x12\x02hi" + b"\x1d\0\0\x80\x3f" + b"\x21" + bytes(8)
    found = fields(raw)
    assert [(f.number, f.kind) for f in found] == [(1, 0), (2, 2), (3, 5), (4, 1)]
    assert found[0].value == 150
    assert raw[found[1].start : found[1].end] == b"hi"


@pytest.mark.parametrize(
    "raw, words",
    [
        (b"\x08", "cut off"), (b"\x08" + b"\xff" * 10, "longer than 10"), (b"\x12\x05hi", "needs 5 bytes, 2 are left"),
        (b"\x1d\0\0", "needs 4 bytes"), (b"\x21\0", "needs 8 bytes"),
        (b"\x0b", "wire type 3"), (b"\x0e", "wire type 6"),
        (b"\x00\x00", "field number"), (b"\x12" + b"\xff" * 9 + b"\x01", "needs 18446744073709551615 bytes"),
    ],
)  # fmt: skip
def test_bad_bytes(raw, words):
    with pytest.raises(WireError, match=words):
        fields(raw)


def test_offset_of_the_bad_field():
    with pytest.raises(WireError) as caught:
        fields(b"\x08\x01\x12\x05hi")
    assert caught.value.offset == 2 and str(caught.value).startswith("byte 2: ")


def test_signed():
    assert wire.signed(2**64 - 1, 32) == -1 and wire.signed(7, 32) == 7 and wire.signed(2**63) == -(2**63)


def test_unpacked_run_stops_at_another_tag():
    for count in (1, 63, 64, 65, 1000):
        raw = b"".join(b"\x2d" + np.float32(i).tobytes() for i in range(count))
        data = memoryview(raw + b"\x08\x01" + b"\x2d\0\0\0\0")
        first = next(wire.Fields(data, 0, len(data)))
        np.testing.assert_array_equal(wire.unpacked_run(data, first, len(data), "<f4"), np.arange(count))


def test_packed_numbers_of_a_broken_length():
    data = memoryview(b"\x2a\x03abc")
    with pytest.raises(WireError, match="no multiple of 4"):
        wire.packed(data, next(wire.Fields(data, 0, 5)), "<f4", "data")


def test_too_many_integers():
    data = memoryview(b"\x0a\x05\x01\x01\x01\x01\x01")
    with pytest.raises(WireError, match="more than 4"):
        wire.varints(data, next(wire.Fields(data, 0, 7)), "dim", 4)
