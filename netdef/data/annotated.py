"""AnnotatedDatum, SSD's record of a picture with boxes, and databases of them.

Numbers of the fields (SSD's caffe.proto): AnnotatedDatum {datum 1, type 2, annotation_group 3}, AnnotationGroup {group_label
1, annotation 2}, Annotation {instance_id 1, bbox 2}, NormalizedBBox {xmin 1, ymin 2, xmax 3, ymax 4, difficult 6}.
"""
from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from netdef.config import wire
from netdef.config.blobproto import tagged
from netdef.data import datum
from netdef.data.boxes import Boxes
from netdef.data.keyed import DatumSource, Raw
from netdef.data.opening import kind_of_database, open_cursor
from netdef.errors import DataError

BBOX = 0  # AnnotatedDatum.AnnotationType


class Row(NamedTuple):
    """A box as it is stored."""

    label: int
    number: int
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    difficult: bool


class Annotated(NamedTuple):
    """A record taken apart: the bytes of its Datum, what its annotations are (None: it does not say), and boxes."""

    datum: bytes
    type: int | None
    rows: list[Row]


class Item(NamedTuple):
    """A record as a layer takes it: the picture (C, H, W) uint8, its label, its boxes; ``boxes`` None: it has only a label."""

    picture: np.ndarray
    label: int
    boxes: Boxes | None


def is_annotated(raw: bytes) -> bool:
    """Whether a record begins like an AnnotatedDatum (field 1 holds bytes) and not like a Datum (field 1 is a number)."""
    return raw[:1] == tagged(1, wire.BYTES)


def parse(raw: bytes) -> Annotated:
    """Take a record apart. Raises ValueError for bytes that are cut off or no AnnotatedDatum."""
    if not is_annotated(raw):
        raise ValueError("expected an AnnotatedDatum (a picture with boxes), the record is none")
    data, stored, kind, rows = memoryview(raw), b"", None, []
    for field in wire.Fields(data, 0, len(data)):
        if field.number == 1:
            stored = _inside(data, field)
        elif field.number == 2:
            wire.expect(field, wire.VARINT, "type")
            kind = field.value
        elif field.number == 3:
            rows += _group(data, field)
    return Annotated(stored, kind, rows)


class AnnotatedSource(DatumSource):
    """Records with boxes in the order of their keys; ``records`` and ``batch`` give their pictures, ``items`` all of them."""

    def items(self, fetched: list[Raw]) -> Iterator[Item]:
        """Pictures and boxes of records that ``fetch`` gave, one after another; for any thread. Raises DataError that names the
        record."""
        return (self._item(raw) for raw in fetched)

    def first(self) -> Item:
        """The first record. Raises DataError."""
        return self._item(self.fetch(range(1))[0])

    def _item(self, raw: Raw) -> Item:
        try:
            found = parse(raw.value)
            picture, label = datum.parse(found.datum, self._decoding)
            if picture.dtype != np.uint8:
                raise ValueError("expected a picture of bytes, the record holds floats")
            return Item(picture, label, boxes_of(found.rows) if found.type is not None or found.rows else None)
        except ValueError as error:
            raise self._bad(raw, error) from error

    def _parse(self, raw: Raw) -> tuple[np.ndarray, int]:
        try:
            return datum.parse(parse(raw.value).datum, self._decoding)
        except ValueError as error:
            raise self._bad(raw, error) from error

    def _is_encoded(self, raw: Raw) -> bool:
        return False  # ``items`` decodes; nothing else is in a hurry

    def _label(self, raw: Raw) -> int:
        return datum.label_of(parse(raw.value).datum)

    def _bad(self, raw: Raw, error: ValueError) -> DataError:
        made = super()._bad(raw, error)
        if not is_annotated(raw.value):
            made.hint = "records without boxes are read by the type Data; netdef data make --from voc:FOLDER makes such databases"
        return made


def open_annotated(path: str, backend: str | None, decoding: datum.Decoding) -> AnnotatedSource:
    """The LMDB or LevelDB of AnnotatedDatum records at ``path``; ``backend`` is as in ``netdef.data.open``. Raises DataError."""
    kind = kind_of_database(path, backend).lower()
    return AnnotatedSource(path, kind, open_cursor(path, kind), decoding)


def boxes_of(rows: list[Row]) -> Boxes:
    """Stored boxes as arrays. Raises ValueError for corners that are no numbers."""
    corners = np.array([row[2:6] for row in rows], np.float64).reshape(-1, 4)
    if not np.isfinite(corners).all():
        raise ValueError("a box has a corner that is no finite number")
    return Boxes(np.array([r.label for r in rows], np.int64), np.array([r.number for r in rows], np.int64), corners,
                 np.array([r.difficult for r in rows], bool))


def _group(data: memoryview, group: wire.Field) -> list[Row]:
    wire.expect(group, wire.BYTES, "annotation_group")
    label, found = 0, []
    for field in wire.Fields(data, group.start, group.end):
        if field.number == 1:
            wire.expect(field, wire.VARINT, "group_label")
            label = wire.signed(field.value, 32)
        elif field.number == 2:
            wire.expect(field, wire.BYTES, "annotation")
            number, corners, difficult = 0, (0.0, 0.0, 0.0, 0.0), False
            for part in wire.Fields(data, field.start, field.end):
                if part.number == 1:
                    wire.expect(part, wire.VARINT, "instance_id")
                    number = wire.signed(part.value, 32)
                elif part.number == 2:
                    corners, difficult = _box(data, part)
            found.append(Row(label, number, *corners, difficult))
    return [row._replace(label=label) for row in found]  # the label may stand behind the boxes


def _box(data: memoryview, box: wire.Field) -> tuple[tuple[float, float, float, float], bool]:
    wire.expect(box, wire.BYTES, "bbox")
    corners, difficult = [0.0] * 4, False
    for field in wire.Fields(data, box.start, box.end):
        if 1 <= field.number <= 4:
            wire.expect(field, wire.FIXED32, "bbox")
            corners[field.number - 1] = struct.unpack_from("<f", data, field.start)[0]
        elif field.number == 6:
            wire.expect(field, wire.VARINT, "difficult")
            difficult = bool(field.value)
    return (corners[0], corners[1], corners[2], corners[3]), difficult


def _inside(data: memoryview, field: wire.Field) -> bytes:
    wire.expect(field, wire.BYTES, "datum")
    return bytes(data[field.start: field.end])
