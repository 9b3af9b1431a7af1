"""Writes pictures into a folder for each class: ``cat/00000012.png``. The names of the folders, in the order of the class
numbers, stand in ``labels.txt``."""
from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netdef.datasets.records import Record, encode
from netdef.datasets.target import MADE, move

_HEADS = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"BM": ".bmp", b"RIFF": ".webp"}


class FolderWriter:
    """See Writer. Pictures lie under the numbers of their classes until the end, when all names are known."""

    def __init__(self, folder: Path, state: dict[str, Any]) -> None:
        self._made = folder / MADE
        self._made.mkdir(exist_ok=True)
        self._seen = {int(n) for n in state.get("labels", [])}

    def add(self, number: int, record: Record) -> None:
        """See Writer. Raises ValueError for labels and pixels that a folder of pictures cannot hold."""
        if record.boxes is not None or isinstance(record.label, np.ndarray) or int(record.label) < 0:
            raise ValueError("a folder of pictures takes class numbers from 0 on, no boxes and no vectors")
        label = int(record.label)
        if record.encoded is not None:
            raw, ending = record.encoded, ending_of(record.encoded)
        else:
            raw, ending = encode(record.array(), "png"), ".png"
        place = self._made / str(label)
        if label not in self._seen:
            place.mkdir(exist_ok=True)
            self._seen.add(label)
        (place / f"{number:08d}{ending}").write_bytes(raw)

    def commit(self) -> dict[str, Any]:
        """See Writer."""
        if hasattr(os, "sync"):
            os.sync()
        return {"labels": sorted(self._seen)}

    def finish(self, out: Path, classes: Sequence[str] | None) -> list[Path]:
        """See Writer."""
        names = folder_names(max(self._seen, default=-1) + 1, classes)
        for label in sorted(self._seen):
            place = self._made / str(label)
            if place.exists() and place.name != names[label]:
                os.replace(place, self._made / f".{label}")  # first aside: a class may be called "1"
        for label in sorted(self._seen):
            if (self._made / f".{label}").exists():
                os.replace(self._made / f".{label}", self._made / names[label])
        (self._made / "labels.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        if out.is_dir() and not any(out.iterdir()):
            out.rmdir()
        move(self._made, out)
        return [out]

    def close(self) -> None:
        """Nothing is open."""


def folder_names(count: int, classes: Sequence[str] | None) -> list[str]:
    """Names of folders for ``count`` classes: their own, without slashes, or their numbers, so wide that they sort."""
    if not classes:
        return [f"{i:0{len(str(max(count - 1, 0)))}d}" for i in range(count)]
    names = [name.strip().replace("/", "_").replace("\\", "_").lstrip(".") or str(i) for i, name in enumerate(classes)]
    names += [str(i) for i in range(len(names), count)]
    return [f"{name}_{i}" if name in names[:i] or name == "labels.txt" else name for i, name in enumerate(names)]


def ending_of(raw: bytes) -> str:
    """The ending for a picture file, by its first bytes."""
    return next((ending for head, ending in _HEADS.items() if raw.startswith(head)), ".img")
