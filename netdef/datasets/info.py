"""What a data set is: counts, shapes, classes, values, how it is stored; as a table for people and as a dictionary."""
from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from netdef.datasets.copying import Told, ordered
from netdef.datasets.records import RecordSet, array, boxes_text, class_text
from netdef.datasets.sheet import Tile
from netdef.errors import DataError
from netdef.graph.render import table

_RGB_KINDS = ("cifar10", "cifar100")


@dataclass
class Info:
    """What was found out about a source."""

    source: str
    kind: str
    records: int
    looked_at: int = 0
    shapes: dict[str, int] = field(default_factory=dict)
    """"3x32x32" -> how many records have it"""
    storage: dict[str, int] = field(default_factory=dict)
    """"uint8", "float32", "png", ... -> how many records"""
    classes: dict[str, int] = field(default_factory=dict)
    """class (number, and name where there is one) -> records, or boxes"""
    boxes: int = 0
    label_shape: list[int] = field(default_factory=list)
    minimum: float = 0.0
    maximum: float = 0.0
    channel_means: list[float] = field(default_factory=list)
    order: str = ""
    """a guess at the order of three channels, with its reason"""
    unreadable: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """A table."""
        rows = [("source", self.source), ("kind", self.kind),
                ("records", f"{self.records:,}" + (f" ({self.looked_at:,} looked at)" if self.looked_at < self.records else "")),
                ("shape", _counts(self.shapes)), ("stored as", _counts(self.storage)),
                ("values", f"{self.minimum:g} to {self.maximum:g}"),
                ("channel means", " ".join(f"{m:.4f}" for m in self.channel_means))]
        if self.order:
            rows.append(("channels", self.order))
        if self.label_shape:
            rows.append(("labels", f"vectors of {'x'.join(map(str, self.label_shape))}"))
        if self.boxes:
            rows.append(("boxes", f"{self.boxes:,}"))
        text = "\n".join(f"{name:<14} {value}" for name, value in rows)
        if self.classes:
            shares = sum(self.classes.values())
            text += f"\n{'classes':<14} {len(self.classes)}\n\n" + table(
                [(name, f"{n:,}", f"{100 * n / shares:.1f} %") for name, n in self.classes.items()],
                ("class", "boxes" if self.boxes else "records", "share"), [1, 2])
        for line in self.unreadable[:10]:
            text += f"\n{line}"
        return text


def describe(records: RecordSet, limit: int | None = None, gray: bool = False, threads: int | None = None,
             told: Told | None = None) -> Info:
    """Look at all records, or the first ``limit``. What cannot be read is listed, not raised; raises DataError if none can."""
    count = min(len(records), limit or len(records))
    info = Info(records.name, records.kind, len(records), count)
    shapes: Counter[str] = Counter()
    stored: Counter[str] = Counter()
    labels: Counter[int] = Counter()
    lowest, highest, sums, pixels_seen = np.inf, -np.inf, np.zeros(0), 0
    for i, found in ordered(lambda i: _look(records, i, gray), range(count), threads):
        if told is not None:
            told(i + 1, count)
        if isinstance(found, DataError):
            info.unreadable.append(str(found))
            continue
        shapes[found.shape] += 1
        stored[found.stored] += 1
        labels.update(found.labels)
        info.boxes += found.boxes
        info.label_shape = found.label_shape
        lowest, highest = min(lowest, found.lowest), max(highest, found.highest)
        if not len(sums) or len(sums) == len(found.sums):
            sums = found.sums if not len(sums) else sums + found.sums
            pixels_seen += found.pixels
    if not shapes:
        raise DataError("no record can be read", where=records.name, notes=info.unreadable[:10])
    info.shapes, info.storage = dict(shapes.most_common()), dict(stored.most_common())
    info.minimum, info.maximum = float(lowest), float(highest)
    info.channel_means = [float(s / pixels_seen) for s in sums]
    info.classes = {class_text(k, records.classes): labels[k] for k in sorted(labels)}
    info.order = _order(records, info)
    return info


@dataclass
class _Seen:
    """What one record adds."""

    shape: str
    stored: str
    labels: list[int]
    boxes: int
    label_shape: list[int]
    lowest: float
    highest: float
    sums: np.ndarray
    pixels: int


def _look(records: RecordSet, index: int, gray: bool) -> _Seen | DataError:
    try:
        pixels, record = array(records, index, gray)
    except DataError as error:
        return error
    boxes = record.boxes or ()
    label = np.asarray(record.label)
    whole = [] if label.ndim or label != int(label) else [int(label)]
    labels = whole if record.boxes is None else [b.label for b in boxes]
    return _Seen("x".join(map(str, pixels.shape)), _stored(record.encoded, pixels), labels, len(boxes), list(label.shape),
                 float(pixels.min()), float(pixels.max()), pixels.sum((1, 2), dtype=np.float64), pixels[0].size)


def _stored(encoded: bytes | None, pixels: np.ndarray) -> str:
    from netdef.datasets.write_folder import ending_of

    return str(pixels.dtype) if encoded is None else f"{ending_of(encoded)[1:]} (encoded)"


def _order(records: RecordSet, info: Info) -> str:
    """The order of three channels: known for pictures that are decoded here, guessed by the colour of photographs else."""
    if len(info.channel_means) != 3:
        return ""
    if records.kind in _RGB_KINDS:
        return "red, green, blue (as in CIFAR's files)"
    if any("encoded" in name for name in info.storage):
        return "blue, green, red (decoded here, as Caffe does)"
    first, _, last = info.channel_means
    if abs(first - last) < 0.01 * max(1.0, info.maximum - info.minimum):
        return "cannot be told; Caffe's tools write blue, green, red"
    guess = "blue, green, red" if first < last else "red, green, blue"
    return f"probably {guess}: photographs have more red than blue"


def _counts(found: dict[str, int]) -> str:
    if len(found) == 1:
        return next(iter(found))
    shown = [f"{name} ({n:,})" for name, n in list(found.items())[:5]]
    return ", ".join(shown) + (f" and {len(found) - 5} more" if len(found) > 5 else "")


def first_tiles(records: RecordSet, count: int, gray: bool = False) -> list[Tile]:
    """The first ``count`` records that can be read, with their labels."""
    tiles: list[Tile] = []
    names = records.classes or ()
    for i in range(len(records)):
        if len(tiles) == count:
            break
        try:
            pixels, record = array(records, i, gray)
        except DataError:
            continue
        label = np.asarray(record.label)
        if record.boxes is not None:
            text = boxes_text(record.boxes, names)
        elif label.ndim:
            text = " ".join(f"{v:g}" for v in label.ravel()[:8])
        else:
            text = class_text(int(label), names) if label == int(label) else f"{float(label):g}"
        tiles.append(Tile(pixels, text, record.boxes or ()))
    return tiles
