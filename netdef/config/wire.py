"""The protobuf wire format, read in place: which field stands at which bytes, without copying any of them.

Generated message classes copy every number into memory of their own, which for a weights file of 500 MB takes seconds
and a multiple of the file's size. This reader yields positions, so that floats can be viewed where they lie. It trusts
nothing: each length is checked against the bytes that are there before anyone uses it.

Source: the encoding page of the Protocol Buffers documentation.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_KINDS = {VARINT: "a varint", FIXED64: "8 bytes", BYTES: "a length and bytes", FIXED32: "4 bytes"}
_RUN = 64  # unpacked numbers looked at first; the window grows while all of it is one run


class WireError(ValueError):
    """The bytes are no protobuf message; ``offset`` is the byte where that became certain."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset

    def __str__(self) -> str:
        return f"byte {self.offset}: {self.args[0]}"


class Field(NamedTuple):
    """One field: its number, its wire type, its value (varints only, unsigned) and where its payload lies."""

    number: int
    kind: int
    value: int
    start: int
    end: int
    at: int
    """Where the field's tag begins."""


class Fields(Iterator[Field]):
    """The fields of the message in ``data[start:end]``, in file order; raises WireError at the first bad byte.

    ``at`` is where the next field begins; a caller that has taken several fields in one go moves it on.
    """

    def __init__(self, data: memoryview, start: int, end: int) -> None:
        self.data, self.at, self.end = data, start, end

    def __next__(self) -> Field:
        at, end = self.at, self.end
        if at >= end:
            raise StopIteration
        tag, place = varint(self.data, at, end)
        number, kind = tag >> 3, tag & 7
        if not 1 <= number < 1 << 29:
            raise WireError(f"expected a field number of 1 to 536870911, got {number}", at)
        value = 0
        if kind == VARINT:
            value, after = varint(self.data, place, end)
        elif kind == BYTES:
            length, place = varint(self.data, place, end)
            after = place + length
        elif kind in (FIXED32, FIXED64):
            after = place + (4 if kind == FIXED32 else 8)
        else:
            raise WireError(f"wire type {kind} of field {number} is not used in Caffe's files", at)
        if after > end:
            raise WireError(f"field {number} needs {after - place} bytes, {end - place} are left", at)
        self.at = after
        return Field(number, kind, value, place, after, at)


def varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    """The unsigned number at ``at`` (at most 10 bytes, cut to 64 bits) and the place behind it."""
    value = shift = 0
    for place in range(at, min(end, at + 10)):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place + 1
        shift += 7
    raise WireError("a number is cut off" if end - at < 10 else "a number is longer than 10 bytes", at)


def signed(value: int, bits: int = 64) -> int:
    """The two's complement reading of the low ``bits`` of a varint (negative int32 fill 64 bits on the wire)."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def expect(field: Field, kind: int, name: str) -> None:
    """Raise WireError where a known field has another wire type than its own."""
    if field.kind != kind:
        raise WireError(f"expected {name} as {_KINDS[kind]}, got {_KINDS[field.kind]}", field.at)


def text(data: memoryview, field: Field, name: str) -> str:
    """The string of a length-delimited field; bytes that are not UTF-8 become backslash escapes."""
    expect(field, BYTES, name)
    return bytes(data[field.start : field.end]).decode("utf-8", "backslashreplace")


def varints(data: memoryview, field: Field, name: str, limit: int) -> list[int]:
    """The signed 64-bit numbers of a repeated integer field, packed or not; more than ``limit`` is an error."""
    if field.kind == VARINT:
        return [signed(field.value)]
    expect(field, BYTES, name)
    found: list[int] = []
    at = field.start
    while at < field.end:
        if len(found) == limit:
            raise WireError(f"more than {limit} values in {name}", at)
        value, at = varint(data, at, field.end)
        found.append(signed(value))
    return found


def packed(data: memoryview, field: Field, dtype: str, name: str) -> np.ndarray:
    """A flat view of a packed field of fixed-size numbers (read-only where ``data`` is; maybe not aligned)."""
    width = np.dtype(dtype).itemsize
    length = field.end - field.start
    if length % width:
        raise WireError(f"{name} has {length} bytes, which is no multiple of {width}", field.at)
    return np.frombuffer(data, dtype, length // width, field.start)


def unpacked_run(data: memoryview, field: Field, end: int, dtype: str) -> np.ndarray:
    """The values of ``field`` and of all equal-tagged fields directly behind it: a strided view, no copy.

    Files written before Caffe packed its floats repeat the tag before every number; a Python step for
    each of 60 million numbers would take a minute.
    """
    tag_width = field.start - field.at
    cell = np.dtype([("tag", f"V{tag_width}"), ("value", dtype)])
    most = (end - field.at) // cell.itemsize
    tag = bytes(data[field.at : field.start])
    window = _RUN
    while True:
        cells = np.frombuffer(data, cell, min(window, most), field.at)
        other = np.flatnonzero(cells["tag"] != np.void(tag))
        if other.size:
            return cells["value"][: other[0]]
        if window >= most:
            return cells["value"]
        window *= 4
