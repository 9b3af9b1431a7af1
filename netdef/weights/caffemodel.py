"""Reading and writing .caffemodel: a NetParameter in protobuf's binary format.

The reader walks the wire format and views packed floats in place, so it opens a file of any size at once and needs no
schema: names, types and blobs have kept their numbers in every fork, while nearly every other field number means
something else somewhere (facts from the caffe.proto files of BVLC and its forks).
"""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netdef.config import blobproto, wire
from netdef.config.blobproto import encode_varint, tagged
from netdef.config.wire import BYTES, VARINT, Field
from netdef.errors import WeightsError
from netdef.weights.atomic import atomic_write
from netdef.weights.file import LayerEntry, WeightsFile
from netdef.weights.mapped import mapped, reading

if TYPE_CHECKING:
    from google.protobuf.message import Message

MAX_BYTES = 2**31 - 1  # protobuf reads no longer message


class _Numbers(NamedTuple):
    """Where one generation of the format keeps what is read here."""

    name: int
    type: int
    bottom: int
    top: int
    blobs: int


_NET_NAME, _NET_LAYERS, _NET_LAYER = 1, 2, 100
_V2 = _Numbers(name=1, type=2, bottom=3, top=4, blobs=7)
_V1 = _Numbers(name=4, type=5, bottom=2, top=3, blobs=6)
_V0 = _Numbers(name=1, type=2, bottom=-1, top=-1, blobs=50)
_V1_INNER = 1  # the V0 layer inside a V1 connection


def read_caffemodel(path: str | os.PathLike[str]) -> WeightsFile:
    """The arrays of a .caffemodel by layer name, as views of the file.

    Reads V2 (``layer``), V1 (``layers``) and V0 (``layers { layer }``) files, float and double, packed or not, and
    NVCaffe's half floats (as float32). Raises WeightsError with the byte offset where the file is damaged.
    """
    data = mapped(path)
    found = WeightsFile(str(path), "V2")
    with reading(path, data, "a .caffemodel"):
        for field in wire.Fields(data, 0, len(data)):
            if field.number == _NET_NAME:
                found.net_name = wire.text(data, field, "name")
            elif field.number == _NET_LAYER:
                wire.expect(field, BYTES, "layer")
                found.add(_read_layer(data, field, _V2)[0])
            elif field.number == _NET_LAYERS:
                wire.expect(field, BYTES, "layers")
                entry, old = _read_layer(data, field, _V1)
                found.format = "V0" if old else "V1"
                found.add(entry)
    return found


def write_caffemodel(
    path: str | os.PathLike[str],
    layers: Sequence[tuple[str, str, Sequence[np.ndarray]]],
    net_name: str = "",
    net_message: Message | None = None,
    diffs: Mapping[str, Sequence[np.ndarray]] | None = None,
) -> None:
    """Write ``(layer name, type, arrays)`` as a .caffemodel that Caffe reads.

    float64 arrays are stored as double_data, all others as float32. With ``net_message`` (a NetParameter) its other
    fields, and those of its layers, are stored too, each layer with the arrays given under its name; ``net_name`` then
    only fills an empty name. ``diffs`` are gradients by layer name, stored beside the arrays. Raises WeightsError where
    the file cannot be written or would pass protobuf's limit of 2 GiB, ValueError where ``layers`` names one that
    ``net_message`` lacks.
    """
    if net_message is None:
        entries = [(_layer_head(name, type_name), arrays) for name, type_name, arrays in layers]
        head = _string(_NET_NAME, net_name) if net_name else b""
        names = [name for name, _, _ in layers]
    else:
        names = [layer.name for layer in net_message.layer]  # type: ignore[attr-defined]
        head, entries = _from_message(net_message, net_name, layers)
    pieces: list[bytes | memoryview] = [head]
    for name, (layer_head, arrays) in zip(names, entries, strict=True):
        body: list[bytes | memoryview] = [layer_head]
        gradients = dict(enumerate((diffs or {}).get(name, ())))
        for i, array in enumerate(arrays):
            body += _framed(_V2.blobs, blobproto.encode(array, gradients.get(i)))
        pieces += _framed(_NET_LAYER, body)
    write_pieces(path, pieces, "write it as .caffemodel.h5 or .safetensors, which have no limit")


def write_pieces(path: str | os.PathLike[str], pieces: Sequence[bytes | memoryview], hint: str) -> None:
    """Write the pieces of one protobuf message; raises WeightsError where they are longer than protobuf can read."""
    total = sum(len(piece) for piece in pieces)
    if total > MAX_BYTES:
        message = f"expected at most {MAX_BYTES} bytes (protobuf's limit), got {total}"
        raise WeightsError(message, where=str(path), hint=hint)
    with atomic_write(path) as file:
        for piece in pieces:
            file.write(piece)


def _read_layer(data: memoryview, whole: Field, numbers: _Numbers) -> tuple[LayerEntry, bool]:
    """One layer entry, and whether it was a V1 entry with a V0 layer inside (which then gives name, type, blobs)."""
    entry, old = LayerEntry(), False
    for field in wire.Fields(data, whole.start, whole.end):
        if field.number == numbers.name:
            entry.name = wire.text(data, field, "a layer's name")
        elif field.number == numbers.type:
            entry.type = _type(data, field, numbers)
        elif field.number == numbers.bottom:
            entry.bottoms.append(wire.text(data, field, "bottom"))
        elif field.number == numbers.top:
            entry.tops.append(wire.text(data, field, "top"))
        elif field.number == numbers.blobs:
            wire.expect(field, BYTES, "blobs")
            array, legacy = blobproto.decode(data, field.start, field.end)
            entry.arrays.append(array)
            entry.legacy.append(legacy)
        elif numbers is _V1 and field.number == _V1_INNER:
            wire.expect(field, BYTES, "layer")
            inner, old = _read_layer(data, field, _V0)[0], True
            entry.name, entry.type, entry.arrays, entry.legacy = inner.name, inner.type, inner.arrays, inner.legacy
    return entry, old


def _type(data: memoryview, field: Field, numbers: _Numbers) -> str:
    """The type string; V1 stores a number, read through the names of its enum."""
    if numbers is not _V1:
        return wire.text(data, field, "a layer's type")
    wire.expect(field, VARINT, "a layer's type")
    from netdef.config import schema  # protobuf loads only for old files

    known: Any = schema.descriptor("V1LayerParameter").fields_by_name["type"].enum_type.values_by_number
    value = known.get(field.value)
    return value.name if value is not None else str(field.value)


def _from_message(
    net: Any, net_name: str, layers: Sequence[tuple[str, str, Sequence[np.ndarray]]]
) -> tuple[bytes, list[tuple[bytes, Sequence[np.ndarray]]]]:
    """The net's own fields as bytes, and for each of its layers the fields but blobs, with the arrays to store."""
    rest = type(net)()
    rest.CopyFrom(net)
    rest.ClearField("layer")
    rest.name = rest.name or net_name
    arrays = {name: blobs for name, _, blobs in layers}
    entries = []
    for layer in net.layer:
        bare = type(layer)()
        bare.CopyFrom(layer)
        bare.ClearField("blobs")
        entries.append((bare.SerializePartialToString(), arrays.pop(layer.name, ())))
    if arrays:
        raise ValueError(f"net_message has no layer {sorted(arrays)}")
    return rest.SerializePartialToString(), entries


def _layer_head(name: str, type_name: str) -> bytes:
    return _string(_V2.name, name) + _string(_V2.type, type_name)


def _string(number: int, value: str) -> bytes:
    raw = value.encode("utf-8")
    return tagged(number, BYTES) + encode_varint(len(raw)) + raw


def _framed(number: int, body: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
    """A submessage: tag and length before its pieces."""
    return [tagged(number, BYTES) + encode_varint(sum(len(piece) for piece in body)), *body]
