"""A set of records as the commands see it: numbered, readable in any order and from several threads."""
from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from netdef.data.datum import Decoding, decode_image
from netdef.data.images import read_image
from netdef.data.labels import short
from netdef.errors import DataError

Label = int | np.ndarray
GRAY = np.array([0.114, 0.587, 0.299])
"""Shares of blue, green and red in grey (ITU-R BT.601, as OpenCV and Pillow have them)."""


class Box(NamedTuple):
    """One thing in a picture: its class, corners from 0 to 1, whether it is marked as difficult."""

    label: int
    xmin: float
    ymin: float
    xmax: float
    ymax: float
    difficult: bool = False


@dataclass(frozen=True)
class Record:
    """A picture with its label: either ``pixels`` (C, H, W), uint8 or float32, or the bytes of an ``encoded`` picture."""

    label: Label
    pixels: np.ndarray | None = None
    encoded: bytes | None = None
    name: str = ""
    """Its path in a list or folder; empty where records have only numbers."""
    file: bool = False
    """Whether the bytes are a file of the user's (read in colour, turned as EXIF says) and not an encoded Datum."""
    boxes: tuple[Box, ...] | None = field(default=None)
    """What is in the picture, for data of detectors."""

    def array(self, gray: bool = False) -> np.ndarray:
        """The pixels (C, H, W), three channels in the order blue, green, red. Raises ValueError and DataError."""
        if self.pixels is not None:
            return to_gray(self.pixels) if gray else self.pixels
        if self.encoded is None:
            raise ValueError("the record is empty")
        if self.file:
            return np.ascontiguousarray(read_image(self.encoded, color=not gray).transpose(2, 0, 1))
        return decode_image(self.encoded, Decoding(force_gray=gray))


class RecordSet(Protocol):
    """RecordSet by number. ``read`` may be called from several threads."""

    name: str
    kind: str
    """"lmdb", "folder", "idx" ...; for people, and for what depends on it (keys, order of channels)."""
    classes: Sequence[str] | None
    """Names of the classes, where the source knows them."""

    def __len__(self) -> int:
        """How many there are."""

    def read(self, index: int) -> Record:
        """Record ``index``. Raises DataError, ValueError for what cannot be read; the caller says where it was."""

    def labels(self) -> np.ndarray | None:
        """All labels, or None where that means reading all records."""

    def place(self, index: int) -> str:
        """Where a record stands, for messages: ``train.txt:12 (cats/1.jpg)``."""

    def signature(self) -> str:
        """A text that changes when other records are meant; work begun with one signature goes on only with the same."""

    def close(self) -> None:
        """Let go of files."""


class Chosen:
    """Some records of a set, in an order of their own: for ``--shuffle`` and ``--limit``."""

    def __init__(self, records: RecordSet, order: np.ndarray) -> None:
        self.records, self.order = records, order
        self.name, self.kind, self.classes = records.name, records.kind, records.classes

    def __len__(self) -> int:
        return len(self.order)

    def read(self, index: int) -> Record:
        """See RecordSet."""
        return self.records.read(int(self.order[index]))

    def labels(self) -> np.ndarray | None:
        """See RecordSet."""
        found = self.records.labels()
        return None if found is None else found[self.order]

    def place(self, index: int) -> str:
        """See RecordSet."""
        return self.records.place(int(self.order[index]))

    def signature(self) -> str:
        """See RecordSet."""
        import hashlib

        return f"{self.records.signature()} {hashlib.sha256(self.order.astype('<i8').tobytes()).hexdigest()[:16]}"

    def close(self) -> None:
        """See RecordSet."""
        self.records.close()


def read(records: RecordSet, index: int) -> Record:
    """Record ``index``; what is wrong with it becomes a DataError that says where it stands."""
    try:
        return records.read(index)
    except (ValueError, DataError) as error:
        raise located(records, index, error) from error


def array(records: RecordSet, index: int, gray: bool = False) -> tuple[np.ndarray, Record]:
    """The pixels (C, H, W) of record ``index``, and the record. Raises DataError that says where it stands."""
    record = read(records, index)
    try:
        return record.array(gray), record
    except (ValueError, DataError) as error:
        raise located(records, index, error) from error


def located(records: RecordSet, index: int, error: Exception) -> DataError:
    """The error, with the record's place in front."""
    message, hint = (error.message, error.hint) if isinstance(error, DataError) else (str(error), "")
    made = DataError(message, where=records.place(index), hint=hint)
    made.item = index
    return made


def class_text(label: int, names: Sequence[str] | None) -> str:
    """A class for people: its number, and its name where that says more."""
    name = short(names[label]) if names is not None and 0 <= label < len(names) else ""
    return f"{label} {name}" if name not in ("", str(label)) else str(label)


def boxes_text(boxes: Sequence[Box], names: Sequence[str] | None) -> str:
    """What is in a picture: ``2 dog, 1 cat``, most frequent first."""
    found = Counter(names[b.label] if names and 0 <= b.label < len(names) else str(b.label) for b in boxes)
    return ", ".join(f"{n} {name}" for name, n in found.most_common())


def to_gray(pixels: np.ndarray) -> np.ndarray:
    """(C, H, W) -> (1, H, W); C is 1, or 3 and 4 in the order blue, green, red. Raises ValueError for other numbers."""
    if len(pixels) == 1:
        return pixels
    if len(pixels) not in (3, 4):
        raise ValueError(f"expected 1 or 3 channels to turn into grey, got {len(pixels)}")
    made = np.tensordot(GRAY, pixels[:3].astype(np.float64), 1)[None]
    return np.floor(made + 0.5).astype(np.uint8) if pixels.dtype == np.uint8 else made.astype(pixels.dtype)


def encode(pixels: np.ndarray, kind: str) -> bytes:
    """uint8 (C, H, W), one or three channels, as a picture file: ``kind`` is "png", or "jpg" (quality 95).

    Raises ValueError for other arrays, DataError without Pillow.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError("writing pictures needs Pillow, which is not installed", hint="pip install netdef[images]") from error
    if pixels.dtype != np.uint8 or len(pixels) not in (1, 3):
        raise ValueError(f"expected bytes with 1 or 3 channels to write a picture, got {len(pixels)} of {pixels.dtype}")
    rows = np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels[::-1].transpose(1, 2, 0))
    file = io.BytesIO()
    if kind == "png":
        Image.fromarray(rows).save(file, "PNG")
    else:
        Image.fromarray(rows).save(file, "JPEG", quality=95, subsampling=2)
    return file.getvalue()
