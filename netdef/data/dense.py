"""Pictures with a label for each pixel, as records of one more channel: the picture's, then its label picture's."""
from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from netdef.data.images import read_image, resize
from netdef.data.pictures import Pictures, PictureSource
from netdef.errors import DataError


class Pairs(NamedTuple):
    """Pictures, and the path of the label picture of each."""

    pictures: Pictures
    labels: list[str]


def read_pairs(path: str, folders: tuple[str, ...]) -> Pairs:
    """The pairs that a text file names, two paths without spaces on a line; empty lines do not count. Raises DataError."""
    paths, labels, lines = [], [], []
    try:
        with open(path, encoding="utf-8-sig") as file:
            for line, text in enumerate(file, 1):
                parts = text.split()
                if parts and len(parts) != 2:
                    raise DataError(f"expected the paths of a picture and of its label picture, got '{text.strip()}'",
                                    where=f"{path}:{line}")
                if parts:
                    paths.append(parts[0])
                    labels.append(parts[1])
                    lines.append(line)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read the list of pictures: {reason}", where=path) from error
    if not paths:
        raise DataError("the list names no picture", where=path)
    return Pairs(Pictures(paths, np.zeros(len(paths), np.int32), lines, (), folders), labels)


class DenseSource(PictureSource):
    """Records (C + 1, H, W) uint8: blue, green, red (or grey), and the labels; resized to ``size`` (height, width) if given."""

    def __init__(self, name: str, pairs: Pairs, gray: bool = False, size: tuple[int, int] | None = None) -> None:
        self.pairs, self.size = pairs, size
        super().__init__(name, "list of pairs", pairs.pictures, gray)

    def _read(self, index: int) -> np.ndarray:
        image = super()._read(index).transpose(1, 2, 0)
        candidates = [folder + self.pairs.labels[index] for folder in self.pictures.folders]
        where = next((path for path in candidates if os.path.exists(path)), candidates[0])
        place = f"{self.name}:{self.pictures.lines[index]}"
        try:
            labels = read_image(where, False)
        except DataError as error:
            raise DataError(f"record {index}: {error.message} '{where}'", where=place, hint=error.hint) from error
        if labels.shape[:2] != image.shape[:2]:
            raise DataError(f"record {index}: expected a label picture of {image.shape[0]}x{image.shape[1]}, the picture's size, "
                            f"got {labels.shape[0]}x{labels.shape[1]} in '{where}'", where=place)
        if self.size is not None:
            image, labels = resize(image, *self.size), nearest(labels, *self.size)
        return np.ascontiguousarray(np.concatenate([image, labels[..., :1]], axis=2).transpose(2, 0, 1))


def nearest(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The picture (H, W, C) at another size, each pixel that of the place it comes from, rounded down."""
    rows, columns = (np.minimum(np.arange(new) * (old / new), old - 1).astype(int)
                     for new, old in zip((height, width), image.shape[:2], strict=True))
    return image[rows[:, None], columns]
