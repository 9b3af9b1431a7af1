"""BlobProto <-> NumPy array: one array with its shape, as Caffe stores weights, solver histories and mean images.

``decode`` reads it from bytes without copying (weights files), ``to_array`` and ``from_array`` convert a message.
Rules (facts from BVLC Caffe's Blob::FromProto and ShapeEquals): ``double_data`` wins over ``data``; where any of the
old fields num, channels, height, width is present the shape is that of four axes ("legacy"); a blob with no shape at
all is a scalar. NVIDIA's fork stores half floats in ``raw_data``.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netdef.config import wire
from netdef.config.wire import BYTES, FIXED32, FIXED64, VARINT, Field, WireError

if TYPE_CHECKING:
    from google.protobuf.message import Message

MAX_AXES = 32  # Caffe's kMaxBlobAxes
_LEGACY = ("num", "channels", "height", "width")  # field numbers 1 to 4
_DATA, _DIFF, _SHAPE, _DOUBLE, _DOUBLE_DIFF = 5, 6, 7, 8, 9
_RAW_TYPE, _RAW = 10, 12  # NVCaffe; -> the numbers of its enum Type
_RAW_DTYPES = {0: "<f8", 1: "<f4", 2: "<f2", 3: "<i4", 4: "<u4"}


class Decoded(NamedTuple):
    """An array and whether its shape came from the old four-axis fields."""

    array: np.ndarray
    legacy: bool


def decode(data: memoryview, start: int, end: int) -> Decoded:
    """The array of the BlobProto in ``data[start:end]``; raises WireError with the byte offset.

    The result views the bytes in place where the numbers lie together (then it is as read-only as ``data`` and
    maybe not aligned). float32 or float64; half floats and integers of NVCaffe come as float32.
    """
    legacy: dict[int, int] = {}
    dims: list[int] = []
    found: dict[int, list[np.ndarray]] = {_DATA: [], _DOUBLE: []}
    raw: Field | None = None
    raw_type = 1
    reader = wire.Fields(data, start, end)
    for field in reader:
        number = field.number
        if number <= 4:
            wire.expect(field, VARINT, _LEGACY[number - 1])
            legacy[number] = wire.signed(field.value, 32)
        elif number == _SHAPE:
            dims += _dims(data, field)
        elif number in found:
            values = _numbers(data, field, end)
            found[number].append(values)
            if field.kind != BYTES:  # a run of single numbers was taken at once
                reader.at = field.at + values.size * (field.end - field.at)
        elif number == _RAW_TYPE and field.kind == VARINT:
            raw_type = field.value
        elif number == _RAW and field.kind == BYTES:
            raw = field
    shape = tuple(legacy.get(n, 0) for n in (1, 2, 3, 4)) if legacy else tuple(dims)
    flat = _choose(data, found, raw, raw_type)
    _check_count(shape, flat.size, start)
    return Decoded(flat.reshape(shape), bool(legacy))


def to_array(blob: Message) -> np.ndarray:
    """The array of a BlobProto message, float32 or float64, a copy.

    Raises WireError where the number of values does not fit the shape.
    """
    serialized = memoryview(blob.SerializeToString())
    return decode(serialized, 0, len(serialized)).array.copy()


def from_array(array: np.ndarray, diff: np.ndarray | None = None) -> Message:
    """A BlobProto message with the shape and values of ``array`` and, where given, its gradient ``diff``.

    float64 goes to double_data and double_diff, every other dtype to data and diff as float32.
    """
    from netdef.config import schema  # protobuf loads on first use

    blob: Any = schema.new("BlobProto")
    array = np.asarray(array)
    if diff is not None and np.shape(diff) != array.shape:
        raise ValueError(f"expected a diff of shape {array.shape}, got {np.shape(diff)}")
    if array.ndim:
        blob.shape.dim.extend(array.shape)
    double = array.dtype == np.float64
    kind = np.float64 if double else np.float32
    (blob.double_data if double else blob.data).extend(array.ravel().astype(kind).tolist())
    if diff is not None:
        (blob.double_diff if double else blob.diff).extend(np.ravel(diff).astype(kind).tolist())
    return blob


def encode(array: np.ndarray, diff: np.ndarray | None = None) -> list[bytes | memoryview]:
    """The bytes of a BlobProto of ``array`` in pieces (header, numbers, header): the numbers are not copied where
    they are C-contiguous float32 or float64 already. Byte for byte what protobuf writes. ``diff`` is its gradient."""
    array = np.asarray(array)
    if diff is not None and np.shape(diff) != array.shape:
        raise ValueError(f"expected a diff of shape {array.shape}, got {np.shape(diff)}")
    double = array.dtype == np.float64
    shape = b""
    if array.ndim:
        dims = b"".join(encode_varint(n) for n in array.shape)
        inner = tagged(1, BYTES) + encode_varint(len(dims)) + dims
        shape = tagged(_SHAPE, BYTES) + encode_varint(len(inner)) + inner
    if not array.size:
        return [shape]
    numbers = _packed(_DOUBLE if double else _DATA, array, double)
    gradient = [] if diff is None else _packed(_DOUBLE_DIFF if double else _DIFF, diff, double)
    return [shape, *numbers, *gradient] if double else [*numbers, *gradient, shape]


def _packed(number: int, array: np.ndarray, double: bool) -> list[bytes | memoryview]:
    values = np.ascontiguousarray(array, "<f8" if double else "<f4").reshape(-1)
    return [tagged(number, BYTES) + encode_varint(values.nbytes), memoryview(values.data).cast("B")]


def encode_varint(value: int) -> bytes:
    """The wire form of an integer; negative ones take ten bytes, as protobuf's int32 and int64 do."""
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tagged(number: int, kind: int) -> bytes:
    """The tag that opens a field on the wire."""
    return encode_varint(number << 3 | kind)


def _dims(data: memoryview, field: Field) -> list[int]:
    """The sizes of a BlobShape submessage."""
    wire.expect(field, BYTES, "shape")
    dims: list[int] = []
    for inner in wire.Fields(data, field.start, field.end):
        if inner.number == 1:
            dims += wire.varints(data, inner, "shape.dim", MAX_AXES)
    return dims


def _numbers(data: memoryview, field: Field, end: int) -> np.ndarray:
    """The flat values of one data or double_data field, packed or a run of single ones."""
    name, kind, dtype = ("data", FIXED32, "<f4") if field.number == _DATA else ("double_data", FIXED64, "<f8")
    if field.kind == BYTES:
        return wire.packed(data, field, dtype, name)
    wire.expect(field, kind, name)
    return wire.unpacked_run(data, field, end, dtype)


def _choose(
    data: memoryview, found: dict[int, list[np.ndarray]], raw: Field | None, raw_type: int
) -> np.ndarray:
    """The values that count: double_data, else data, else NVCaffe's raw_data."""
    pieces = [p for p in found[_DOUBLE] if p.size] or [p for p in found[_DATA] if p.size]
    if pieces:
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    if raw is None:
        return np.empty(0, np.float32)
    if raw_type not in _RAW_DTYPES:
        raise WireError(f"raw_data of unknown type {raw_type}", raw.at)
    values = wire.packed(data, raw, _RAW_DTYPES[raw_type], "raw_data")
    return values if raw_type < 2 else values.astype(np.float32)


def _check_count(shape: Sequence[int], count: int, at: int) -> None:
    if len(shape) > MAX_AXES:
        raise WireError(f"a blob has {len(shape)} axes, more than {MAX_AXES}", at)
    if any(n < 0 for n in shape):
        raise WireError(f"a blob has the shape {tuple(shape)}", at)
    if math.prod(shape) != count:
        sizes = "x".join(map(str, shape)) or "no axes (1 value)"
        raise WireError(f"a blob of shape {sizes} needs {math.prod(shape)} values, got {count}", at)
