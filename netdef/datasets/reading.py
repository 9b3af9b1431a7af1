"""Opens any source as a set of records: whatever ``netdef.data`` reads, and folders laid out as PASCAL VOC's.

``guess`` turns a bare path into the spelling that is meant (``train.txt`` into ``list:train.txt``), so that commands take what a
user would type. Databases and picture files are opened here without decoding anything: their bytes can be copied as they are.
"""
from __future__ import annotations

import hashlib
import os
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netdef import data
from netdef.data.keyed import Cursor
from netdef.data.labels import read_labels
from netdef.data.opening import open_cursor
from netdef.data.pictures import PictureSource
from netdef.data.source import Source
from netdef.data.spelling import KINDS, parse
from netdef.data.voc import SUFFIXES as VOC_SUFFIXES
from netdef.data.voc import VocFolder
from netdef.datasets import annotated
from netdef.datasets.records import Box, Record, RecordSet
from netdef.datasets.write_arrays import label_file
from netdef.errors import DataError, did_you_mean

VOC = "voc:"


def open_records(source: str | os.PathLike[str], gray: bool = False) -> RecordSet:
    """The records of a source, spelled as in a net's Data layer or as a bare path. Raises DataError."""
    name = guess(os.fspath(source))
    if name.startswith(VOC):
        return VocRecords(name)
    path = database_path(name)
    if path is not None:
        return DatabaseRecords(path)
    spelling = None if name.startswith("builtin:") else parse(name)
    opened = data.open(name, force_gray=gray and spelling is not None and KINDS[spelling.kind].pictures)
    return PictureRecords(opened) if isinstance(opened, PictureSource) else SourceRecords(opened)


def guess(source: str) -> str:
    """The spelling that a bare path means, by what lies there; anything else as it is. Raises DataError."""
    path = Path(source)
    if source.startswith(("builtin:", VOC)) or parse(source) is not None:
        return source  # a missing file is named when it is opened
    if not path.exists():
        near = did_you_mean(path.name, os.listdir(path.parent)) if path.parent.is_dir() else ""
        raise DataError("no such file or folder", where=source, hint=near or f"sources are paths, builtin:NAME, {VOC}FOLDER "
                        f"and {', '.join(f'{kind}:' for kind in KINDS)}")
    if path.is_file():
        return _guess_file(path)
    there = set(os.listdir(path))
    if "Annotations" in there:
        return f"{VOC}{source}"
    if there & {"data_batch_1", "data_batch_1.bin"}:
        return f"cifar10:{source}"
    pictures = any(e.is_dir() and not e.name.startswith(".") for e in os.scandir(path))
    if pictures and not there & {"data.mdb", "CURRENT"}:
        named = path / "labels.txt"
        return f"folder:{source}" + (f",classes={named}" if named.is_file() else "")
    return source


def with_options(source: str, options: dict[str, str | None]) -> str:
    """The source with options (None: not given) in its spelling. Raises DataError for those that its kind does not have."""
    given = {name: value for name, value in options.items() if value is not None}
    if not given:
        return source
    name = guess(source)
    kind = name.partition(":")[0] if name.startswith(("builtin:", VOC)) else getattr(parse(name), "kind", None)
    known = ("split", "classes") if kind == "voc" else KINDS[kind].options if kind in KINDS else ()
    for option in given:
        if option not in known:
            raise DataError(f"--{'part' if option == 'split' else option} is not for this source ({kind or 'a database'})",
                            where=source, hint=f"{kind}: takes {', '.join(known)}" if known else "")
    if kind and not name.startswith(f"{kind}:"):
        name = f"{kind}:{name}"
    kept = [p for p in name.split(",") if p.partition("=")[0] not in given]
    return ",".join([*kept, *(f"{option}={value}" for option, value in given.items())])


def _guess_file(path: Path) -> str:
    with open(path, "rb") as file:
        head = file.read(4096)
    if head[:2] == b"\x1f\x8b" or (head[:2] == b"\0\0" and "ubyte" in path.name):
        beside = label_file(path) if "images" in path.name else None
        return f"idx:{path}" + (f",{beside}" if beside is not None and beside.exists() else "")
    if path.suffix.lower() in (".txt", ".lst", ".list") and b"\0" not in head:
        first = head.split(b"\n")[0].strip().lower()
        return f"hdf5:{path}" if first.endswith((b".h5", b".hdf5")) else f"list:{path}"
    return str(path)


def database_path(name: str) -> str | None:
    """The path of a database, or None where the source is something else. Raises DataError for a folder without one."""
    spelling = None if name.startswith("builtin:") else parse(name)
    if name.startswith("builtin:") or (spelling is not None and spelling.kind not in ("lmdb", "leveldb")):
        return None
    path = name if spelling is None else spelling.paths[0]
    if os.path.isdir(path) and not {"data.mdb", "CURRENT"} & set(os.listdir(path)):
        raise DataError("expected a database (data.mdb or CURRENT), a folder of pictures for each class, or one as PASCAL VOC's",
                        where=path)
    return path


class DatabaseRecords:
    """Datum or AnnotatedDatum records of an LMDB or LevelDB, as they are stored."""

    def __init__(self, path: str) -> None:
        self.name = path
        self.kind = "leveldb" if os.path.exists(os.path.join(path, "CURRENT")) else "lmdb"
        beside = os.path.join(path, "labels.txt")
        self.classes: Sequence[str] | None = read_labels(beside) if os.path.isfile(beside) else None
        self._cursor: Cursor | None = open_cursor(path, self.kind)
        self._lock = threading.Lock()
        try:
            self.keys = self._cursor.keys()
        except BaseException:
            self.close()
            raise
        if not self.keys:
            self.close()
            raise DataError("the database has no records", where=path)

    def __len__(self) -> int:
        return len(self.keys)

    def raw(self, index: int) -> bytes:
        """The bytes of a record. Raises DataError."""
        with self._lock:
            if self._cursor is None:
                raise DataError("the source is closed", where=self.name)
            return self._cursor.value(self.keys[index])

    def read(self, index: int) -> Record:
        """See RecordSet."""
        raw, boxes = self.raw(index), None
        if annotated.is_annotated(raw):
            raw, boxes = annotated.parse(raw)
        _, _, name = self.keys[index].decode("utf-8", "surrogateescape").partition("_")
        return read_datum(raw, name, boxes)

    def labels(self) -> np.ndarray | None:
        """See RecordSet."""
        return None

    def place(self, index: int) -> str:
        """See RecordSet."""
        return f"{self.name}: record {index} (key {self.keys[index].decode('utf-8', 'backslashreplace')})"

    def signature(self) -> str:
        """See RecordSet."""
        return _digest(self.kind, os.path.abspath(self.name), b"\n".join(self.keys))

    def close(self) -> None:
        """See RecordSet."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None


def read_datum(raw: bytes, name: str, boxes: tuple[Box, ...] | None = None) -> Record:
    """A Datum's bytes as a record, pictures still encoded. Raises ValueError."""
    from google.protobuf.message import DecodeError

    from netdef.config import schema
    from netdef.data.datum import AS_STORED
    from netdef.data.datum import parse as parse_datum

    message: Any = schema.new("Datum")
    try:
        message.ParseFromString(raw)
    except DecodeError as error:
        raise ValueError(f"expected a Datum, the {len(raw)} bytes do not parse") from error
    if message.encoded:
        return Record(message.label, encoded=message.data, name=name, boxes=boxes)
    return Record(message.label, pixels=parse_datum(raw, AS_STORED)[0], name=name, boxes=boxes)


class PictureRecords:
    """Picture files of a folder or a list, as the bytes that they are."""

    def __init__(self, source: PictureSource) -> None:
        self.source = source
        self.name, self.kind = source.name, source.kind
        self.classes: Sequence[str] | None = list(source.class_names) or None

    def __len__(self) -> int:
        return len(self.source)

    def read(self, index: int) -> Record:
        """See RecordSet."""
        try:
            with open(self.source.path(index), "rb") as file:
                raw = file.read()
        except OSError as error:
            raise ValueError(f"cannot read the picture: {error.strerror or error}") from error
        label = self.source.labels()[index]
        return Record(label if label.ndim else label.item(), encoded=raw, name=self.source.pictures.paths[index], file=True)

    def labels(self) -> np.ndarray | None:
        """See RecordSet."""
        return self.source.labels()

    def place(self, index: int) -> str:
        """See RecordSet."""
        pictures = self.source.pictures
        return f"{self.name}:{pictures.lines[index]} ({pictures.paths[index]})" if pictures.lines else self.source.path(index)

    def signature(self) -> str:
        """See RecordSet."""
        return _digest(self.kind, self.name, "\n".join(self.source.pictures.paths), self.source.labels().tobytes())

    def grey(self) -> bool:
        """Whether the first picture is one of grey alone; no, where it cannot be read."""
        try:
            from PIL import Image

            with Image.open(self.source.path(0)) as picture:
                return picture.mode in ("1", "L")
        except (ImportError, OSError):
            return False

    def missing(self) -> list[int]:
        """The records whose files are not there."""
        return [i for i in range(len(self)) if not os.path.isfile(self.source.path(i))]

    def close(self) -> None:
        """See RecordSet."""
        self.source.close()


class SourceRecords:
    """Any other source of ``netdef.data``."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.name, self.kind = source.name, source.kind
        self.classes: Sequence[str] | None = list(source.class_names) or None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.source)

    def read(self, index: int) -> Record:
        """See RecordSet."""
        with self._lock:
            fetched = self.source.fetch(range(index, index + 1))
        images, labels = self.source.assemble(fetched)
        return Record(labels[0] if labels.ndim > 1 else labels[0].item(), pixels=np.asarray(images[0]))

    def labels(self) -> np.ndarray | None:
        """See RecordSet."""
        return self.source.labels()

    def place(self, index: int) -> str:
        """See RecordSet."""
        return f"{self.name}: {self.source.where(index)}"

    def signature(self) -> str:
        """See RecordSet."""
        return _digest(self.kind, self.name, str(self.source.shape), self.source.labels().tobytes())

    def close(self) -> None:
        """See RecordSet."""
        self.source.close()


class VocRecords:
    """``voc:FOLDER,split=NAME,classes=FILE``: pictures with boxes; class 0 is the background, as SSD has it."""

    kind = "voc"

    def __init__(self, name: str) -> None:
        folder, *options = name.removeprefix(VOC).split(",")
        given = dict(option.partition("=")[::2] for option in options)
        unknown = sorted(set(given) - {"split", "classes"})
        if unknown:
            raise DataError(f"unknown option '{unknown[0]}' of {VOC}", where=name, hint=f"it is written {VOC}FOLDER,split=NAME")
        self.name = name
        names = read_labels(given["classes"]) if "classes" in given else voc_classes(folder)
        self.voc = VocFolder(folder, given.get("split", "trainval"), names)
        self.classes: Sequence[str] | None = ["background", *names]

    def __len__(self) -> int:
        return len(self.voc)

    def read(self, index: int) -> Record:
        """See RecordSet; the label is -1, as SSD's tool writes it."""
        path = self._path(index)
        found = self.voc.boxes[index]
        boxes = tuple(Box(int(label), float(c[0]), float(c[1]), float(c[2]), float(c[3]), bool(hard))
                      for label, c, hard in zip(found.label, found.corners, found.difficult, strict=True))
        try:
            name = os.path.relpath(path, self.voc.folder)
            return Record(-1, encoded=Path(path).read_bytes(), name=name, file=True, boxes=boxes)
        except OSError as error:
            raise ValueError(f"cannot read the picture: {error.strerror or error}") from error

    def labels(self) -> np.ndarray | None:
        """See RecordSet."""
        return np.full(len(self), -1, np.int32)

    def place(self, index: int) -> str:
        """See RecordSet."""
        return self._path(index)

    def signature(self) -> str:
        """See RecordSet."""
        return _digest(self.kind, self.name, "\n".join(self.voc.names))

    def close(self) -> None:
        """Nothing is open."""

    def _path(self, index: int) -> str:
        stem = os.path.join(self.voc.folder, "JPEGImages", self.voc.names[index])
        return next((stem + end for end in VOC_SUFFIXES if os.path.exists(stem + end)), stem + VOC_SUFFIXES[0])


def voc_classes(folder: str) -> list[str]:
    """The names of all classes in a folder's annotations, in the order of the alphabet. Raises DataError."""
    found: set[str] = set()
    for path in sorted(Path(folder, "Annotations").glob("*.xml")):
        try:
            found |= {(e.text or "").strip() for e in ElementTree.parse(path).iterfind("object/name")}
        except (OSError, ElementTree.ParseError) as error:
            raise DataError(f"the annotation cannot be read: {error}", where=str(path)) from error
    if not found:
        raise DataError("there are no annotations of things in Annotations/*.xml", where=folder)
    return sorted(found)


def _digest(*parts: str | bytes) -> str:
    made = hashlib.sha256()
    for part in parts:
        made.update((part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part) + b"\0")
    return made.hexdigest()[:16]
