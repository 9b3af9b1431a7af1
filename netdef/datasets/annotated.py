"""AnnotatedDatum, SSD's record of a picture with boxes: bytes -> Datum and boxes, and back.

Numbers of the fields (SSD's caffe.proto): AnnotatedDatum {datum 1, type 2, annotation_group 3}, AnnotationGroup {group_label
1, annotation 2}, Annotation {instance_id 1, bbox 2}, NormalizedBBox {xmin 1, ymin 2, xmax 3, ymax 4, difficult 6}.
"""
from __future__ import annotations

import struct
from collections.abc import Sequence

from netdef.config import wire
from netdef.config.blobproto import encode_varint, tagged
from netdef.datasets.records import Box


def annotated(datum: bytes, boxes: Sequence[Box]) -> bytes:
    """The record as SSD's convert_annoset writes it: a group for each class, in the order in which the classes come up."""
    groups: dict[int, list[Box]] = {}
    for box in boxes:
        groups.setdefault(box.label, []).append(box)
    parts = [_bytes(1, datum), _number(2, 0)]
    for label, members in groups.items():
        inner = [_number(1, label)]
        for i, box in enumerate(members):
            corners = b"".join(tagged(n, wire.FIXED32) + struct.pack("<f", v) for n, v in enumerate(box[1:5], 1))
            inner.append(_bytes(2, _number(1, i) + _bytes(2, corners + _number(6, int(box.difficult)))))
        parts.append(_bytes(3, b"".join(inner)))
    return b"".join(parts)


def is_annotated(raw: bytes) -> bool:
    """Whether a record begins like an AnnotatedDatum (field 1 holds bytes) and not like a Datum (field 1 is a number)."""
    return raw[:1] == tagged(1, wire.BYTES)


def parse(raw: bytes) -> tuple[bytes, tuple[Box, ...]]:
    """The Datum's bytes and the boxes. Raises ValueError for bytes that are cut off or no AnnotatedDatum."""
    data, datum, boxes = memoryview(raw), b"", []
    for field in wire.Fields(data, 0, len(data)):
        if field.number == 1:
            datum = _inside(data, field)
        elif field.number == 3:
            boxes += _group(_inside(data, field))
    return datum, tuple(boxes)


def _group(raw: bytes) -> list[Box]:
    data, label, boxes = memoryview(raw), 0, []
    for field in wire.Fields(data, 0, len(data)):
        if field.number == 1:
            wire.expect(field, wire.VARINT, "group_label")
            label = wire.signed(field.value, 32)
        elif field.number == 2:
            inner = memoryview(_inside(data, field))
            boxes += [_box(_inside(inner, part)) for part in wire.Fields(inner, 0, len(inner)) if part.number == 2]
    return [box._replace(label=label) for box in boxes]


def _box(raw: bytes) -> Box:
    data, corners, difficult = memoryview(raw), [0.0] * 4, False
    for field in wire.Fields(data, 0, len(data)):
        if 1 <= field.number <= 4:
            wire.expect(field, wire.FIXED32, "bbox")
            corners[field.number - 1] = struct.unpack_from("<f", data, field.start)[0]
        elif field.number == 6:
            difficult = bool(field.value)
    return Box(0, corners[0], corners[1], corners[2], corners[3], difficult)


def _inside(data: memoryview, field: wire.Field) -> bytes:
    wire.expect(field, wire.BYTES, "a message")
    return bytes(data[field.start: field.end])


def _number(number: int, value: int) -> bytes:
    return tagged(number, wire.VARINT) + encode_varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    return tagged(number, wire.BYTES) + encode_varint(len(value)) + value
