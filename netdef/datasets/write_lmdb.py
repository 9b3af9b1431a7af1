"""Writes an LMDB of Datum records, byte for byte as Caffe's tools do; of AnnotatedDatum, as SSD's, where there are boxes.

Keys are numbers of eight digits, with ``_`` and the picture's path behind them where there is one (convert_imageset).
"""
from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netdef.datasets.annotated import annotated
from netdef.datasets.records import Record
from netdef.datasets.target import MADE, move
from netdef.errors import DataError, warn

_FIRST_MAP = 1 << 26  # bytes; doubled whenever it is full
_BATCH = 1 << 26      # bytes of records held before they are written
_MOST = 10 ** 8       # keys have eight digits: more records would not be in order


class LmdbWriter:
    """See Writer. State: how many records are committed."""

    def __init__(self, folder: Path, state: dict[str, Any]) -> None:
        try:
            import lmdb
        except ImportError as error:
            raise DataError("writing an LMDB needs the package lmdb, which is not installed",
                            hint="pip install netdef[data], or write .npz") from error
        self._lmdb: Any = lmdb
        self._made = folder / MADE
        self._pending: list[tuple[bytes, bytes]] = []
        self._bytes = 0
        self._shape: tuple[int, ...] | None = None
        self._warned = False
        self._env: Any = self._call(lambda: lmdb.open(os.fspath(self._made), map_size=_FIRST_MAP))
        self._count, self._boxes = int(state.get("records", 0)), bool(state.get("boxes", False))
        self._drop(int(state.get("next", 0)))

    def add(self, number: int, record: Record) -> None:
        """See Writer. Raises ValueError for a label that is no class number."""
        if number >= _MOST:
            raise ValueError(f"an LMDB takes up to {_MOST:,} records, whose keys have eight digits")
        key = f"{number:08d}" + (f"_{record.name}" if record.name else "")
        raw = key.encode("utf-8", "surrogateescape")
        if len(raw) > 511:
            raise ValueError(f"the key '{key[:60]}...' has {len(raw)} bytes, an LMDB takes 511")
        value = datum(record)
        self._same_size(record)
        self._boxes = self._boxes or record.boxes is not None
        self._pending.append((raw, value if record.boxes is None else annotated(value, record.boxes)))
        self._bytes += len(value)
        if self._bytes > _BATCH:
            self._flush()

    def _same_size(self, record: Record) -> None:
        """Warn, once, of pixels of another size than the first: a batch of them needs a crop."""
        shape = None if record.pixels is None else record.pixels.shape
        self._shape = self._shape or shape
        if shape is not None and shape != self._shape and not self._warned:
            self._warned = True
            warn(f"pictures differ in size: {self._shape} and {shape}", record.name or None, "a Data layer takes them with "
                 "crop_size, or new_height and new_width; --resize HEIGHTxWIDTH makes them alike")

    def commit(self) -> dict[str, Any]:
        """See Writer."""
        self._flush()
        return {"records": self._count, "next": self._next, "boxes": self._boxes}

    def finish(self, out: Path, classes: Sequence[str] | None) -> list[Path]:
        """See Writer; the names of the classes go into labels.txt beside the data, for boxes into SSD's labelmap too."""
        self.close()
        (self._made / "lock.mdb").unlink(missing_ok=True)
        if classes:
            (self._made / "labels.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
        if classes and self._boxes:
            (self._made / "labelmap.prototxt").write_text("".join(
                f'item {{\n  name: "{"none_of_the_above" if k == 0 else name}"\n  label: {k}\n  display_name: "{name}"\n}}\n'
                for k, name in enumerate(classes)), encoding="utf-8")
        if out.is_dir() and not any(out.iterdir()):
            out.rmdir()
        move(self._made, out)
        return [out]

    def close(self) -> None:
        """See Writer."""
        if self._env is not None:
            self._env.close()
            self._env = None

    def _drop(self, first: int) -> None:
        """Forget records from number ``first`` on: they were written, but the notes about them were not."""
        self._next = first

        def drop() -> None:
            with self._env.begin(write=True) as transaction, transaction.cursor() as cursor:
                found = cursor.set_range(f"{first:08d}".encode())
                while found:
                    found = cursor.delete()

        self._call(drop)
        self._count = int(self._env.stat()["entries"])

    def _flush(self) -> None:
        if not self._pending:
            return
        while not self._call(self._put):
            self._env.set_mapsize(2 * self._env.info()["map_size"])
        self._count += len(self._pending)
        self._next = int(self._pending[-1][0][:8]) + 1
        self._pending, self._bytes = [], 0

    def _put(self) -> bool:
        """All pending records in one transaction; False where the map is too small for them."""
        try:
            with self._env.begin(write=True) as transaction:
                for key, value in self._pending:
                    if not transaction.put(key, value, append=True):
                        raise DataError(f"key {key!r} is there already", where=str(self._made))
        except self._lmdb.MapFullError:
            return False
        return True

    def _call(self, function: Any) -> Any:
        """Call into LMDB; a full disk becomes the OSError that it is, other errors DataErrors."""
        try:
            return function()
        except self._lmdb.Error as error:
            if "No space left" in str(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            if "Input/output" in str(error) or "File too large" in str(error):
                raise OSError(errno.EFBIG, str(error)) from error
            raise DataError(f"the LMDB cannot be written: {error}", where=str(self._made)) from error


def datum(record: Record) -> bytes:
    """The record as the bytes of a Datum. Raises ValueError for a label that is no class number.

    Caffe's tools differ: convert_imageset writes ``encoded: false`` into records of plain pixels that come from pictures,
    convert_mnist_data does not write the field.
    """
    from netdef.config import schema

    if isinstance(record.label, np.ndarray):
        raise ValueError(f"a Datum holds one class number, the label has {record.label.size} values; write .h5 or .npz")
    made: Any = schema.new("Datum")
    if record.encoded is not None:
        made.data, made.encoded = record.encoded, True
    elif record.pixels is not None:
        made.channels, made.height, made.width = record.pixels.shape
        if record.pixels.dtype == np.uint8:
            made.data = record.pixels.tobytes()
        else:
            made.float_data.extend(record.pixels.ravel().tolist())
        if record.name:
            made.encoded = False
    made.label = int(record.label)
    raw: bytes = made.SerializeToString()
    return raw
