"""IDX files, the format of MNIST: ``idx:images`` or ``idx:images,labels``, plain or gzipped.

Four bytes (0, 0, type, axes), the sizes as big-endian uint32, the values. Source: the page of the MNIST database.
"""
from __future__ import annotations

import gzip
import struct
import zlib

import numpy as np

from netdef.data.arrays import as_labels, as_records
from netdef.data.source import ArraySource
from netdef.data.spelling import Spelling
from netdef.errors import DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP = b"\x1f\x8b"


def open_idx(spelling: Spelling) -> ArraySource:
    """Images of 1 to 4 axes (records first) and, where a second file is named, as many labels. Raises DataError."""
    images, *labels = [read_idx(path) for path in spelling.paths]
    return ArraySource(spelling.source, as_records(images, spelling.paths[0]),
                       as_labels(labels[0], len(images), spelling.paths[1]) if labels else None, "idx")


def read_idx(path: str) -> np.ndarray:
    """The array in an IDX file. Raises DataError for what is none, or is cut off."""
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        raise DataError(f"cannot read the IDX file: {error.strerror or error}", where=path) from error
    try:
        return parse_idx(raw)
    except ValueError as error:
        raise DataError(str(error), where=path) from error


def parse_idx(raw: bytes) -> np.ndarray:
    """The array in the bytes of an IDX file, gzipped or not, in the machine's byte order. Raises ValueError."""
    if raw[:2] == _GZIP:
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"the gzipped IDX file is damaged: {error}") from error
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _TYPES:
        raise ValueError("expected an IDX file (0, 0, type of the values, number of axes), it does not begin like one")
    kind, axes = np.dtype(_TYPES[raw[2]]), raw[3]
    start = 4 + 4 * axes
    if len(raw) < start:
        raise ValueError("the IDX file is cut off within its head")
    shape = struct.unpack_from(f">{axes}I", raw, 4)
    count = 1
    for n in shape:
        count *= n
    if len(raw) != start + count * kind.itemsize:
        raise ValueError(f"the IDX file has {'x'.join(map(str, shape))} values: expected {start + count * kind.itemsize} "
                         f"bytes, got {len(raw)}")
    return np.frombuffer(raw, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))
