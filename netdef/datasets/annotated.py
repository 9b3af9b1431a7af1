"""AnnotatedDatum, SSD's record of a picture with boxes, for data sets: bytes -> Datum and boxes, and back.

The numbers of the fields stand in ``netdef/data/annotated.py``.
"""
from __future__ import annotations

import struct
from collections.abc import Sequence

from netdef.config import wire
from netdef.config.blobproto import encode_varint, tagged
from netdef.data import annotated as stored
from netdef.data.annotated import BBOX, is_annotated
from netdef.datasets.records import Box

__all__ = ["annotated", "is_annotated", "parse"]


def annotated(datum: bytes, boxes: Sequence[Box]) -> bytes:
    """The record as SSD's convert_annoset writes it: a group for each class, in the order in which the classes come up."""
    groups: dict[int, list[Box]] = {}
    for box in boxes:
        groups.setdefault(box.label, []).append(box)
    parts = [_bytes(1, datum), _number(2, BBOX)]
    for label, members in groups.items():
        inner = [_number(1, label)]
        for i, box in enumerate(members):
            corners = b"".join(tagged(n, wire.FIXED32) + struct.pack("<f", v) for n, v in enumerate(box[1:5], 1))
            inner.append(_bytes(2, _number(1, i) + _bytes(2, corners + _number(6, int(box.difficult)))))
        parts.append(_bytes(3, b"".join(inner)))
    return b"".join(parts)


def parse(raw: bytes) -> tuple[bytes, tuple[Box, ...]]:
    """The Datum's bytes and the boxes. Raises ValueError for bytes that are cut off or no AnnotatedDatum."""
    found = stored.parse(raw)
    return found.datum, tuple(Box(row.label, *row[2:]) for row in found.rows)


def _number(number: int, value: int) -> bytes:
    return tagged(number, wire.VARINT) + encode_varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    return tagged(number, wire.BYTES) + encode_varint(len(value)) + value
