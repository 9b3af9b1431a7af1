"""Window files, as R-CNN is trained on: for each picture, boxes with a class and their overlap with an object.

A picture takes the lines ``# number``, its path, channels, height, width, the number of windows, and for each window
``class overlap x1 y1 x2 y2`` (pixels, both ends inside).
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from netdef.data.images import resize
from netdef.errors import DataError


class Picture(NamedTuple):
    """A picture of the file: its path, and the line that names it."""

    path: str
    line: int
    channels: int


class Windows(NamedTuple):
    """Boxes as rows: number of the picture, class, x1, y1, x2, y2; int64 (n, 6). ``lines`` has the line of each."""

    rows: np.ndarray
    lines: np.ndarray


class WindowFile(NamedTuple):
    """What a window file says, split by overlap."""

    path: str
    pictures: list[Picture]
    background: Windows
    foreground: Windows


class Cut(NamedTuple):
    """Where a window lies in a picture, and where it comes to lie in the square that is made of it."""

    x1: int
    y1: int
    x2: int
    y2: int
    """pixels of the picture, both ends inside"""
    height: int
    width: int
    """size that the part is resized to"""
    down: int
    right: int
    """where it begins in the square"""


def read_windows(path: str, fg_threshold: float, bg_threshold: float) -> WindowFile:
    """The pictures and windows of a file: foreground from one overlap on, background (class 0) below another, the rest left
    out. Raises DataError with the line that is wrong."""
    pictures: list[Picture] = []
    found: tuple[list[tuple[int, ...]], list[tuple[int, ...]]] = ([], [])
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = _Lines(path, ((n, text.strip()) for n, text in enumerate(file, 1) if text.strip()))
            while (head := lines.next_or_none()) is not None:
                if not head.startswith("#"):
                    raise lines.bad("'# number' of a picture", head)
                name, at = lines.take("a picture's path"), lines.line
                channels, _, _, count = [lines.numbers(1, what)[0] for what in ("channels", "height", "width",
                                                                                "the number of windows")]
                pictures.append(Picture(name, at, int(channels)))
                for _ in range(int(count)):
                    label, overlap, *box = lines.numbers(6, "class, overlap, x1, y1, x2, y2")
                    row = (len(pictures) - 1, int(label), *(int(v) for v in box), lines.line)
                    if overlap >= fg_threshold:
                        if label <= 0:
                            raise lines.bad("a class from 1 up for a window of the foreground", f"{label:g}")
                        found[1].append(row)
                    elif overlap < bg_threshold:
                        found[0].append((row[0], 0, *row[2:]))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the window file: {getattr(error, 'strerror', None) or error}", where=path) from error
    if not pictures:
        raise DataError("the window file names no picture", where=path)
    background, foreground = (_windows(rows) for rows in found)
    return WindowFile(path, pictures, background, foreground)


class _Lines:
    """The lines of a file that are not empty, one after another."""

    def __init__(self, path: str, lines: Iterator[tuple[int, str]]) -> None:
        self.path, self._lines, self.line = path, lines, 0

    def next_or_none(self) -> str | None:
        """The next line; None at the end."""
        self.line, text = next(self._lines, (self.line, ""))
        return text or None

    def take(self, what: str) -> str:
        """The next line. Raises DataError at the end."""
        text = self.next_or_none()
        if text is None:
            raise DataError(f"expected {what}, the file ends", where=f"{self.path}:{self.line}")
        return text

    def numbers(self, count: int, what: str) -> list[float]:
        """The numbers of the next line. Raises DataError."""
        text = self.take(what)
        try:
            found = [float(part) for part in text.split()]
        except ValueError:
            found = []
        if len(found) != count or not all(map(math.isfinite, found)):
            raise self.bad(what, text)
        return found

    def bad(self, what: str, text: str) -> DataError:
        """The error about the line at hand."""
        return DataError(f"expected {what}, got '{text}'", where=f"{self.path}:{self.line}")


def _windows(rows: list[tuple[int, ...]]) -> Windows:
    table = np.array(rows, np.int64).reshape(len(rows), 7)
    return Windows(table[:, :6], table[:, 6])


def place(box: tuple[int, int, int, int], height: int, width: int, size: int, context: int, square: bool, mirror: bool) -> Cut:
    """Where the window ``box`` (x1, y1, x2, y2) of a picture is cut, and where it goes in a square of ``size`` pixels.

    With ``context`` pixels of surroundings on each side of the square, or ``square`` (the tightest square around the
    window), the box grows first; what of it lies outside the picture is left empty. Raises ValueError for a box outside.
    """
    x1, y1, x2, y2 = box
    if not context and not square:
        _check_inside(x1, y1, x2, y2, height, width)
        return Cut(x1, y1, x2, y2, size, size, 0, 0)
    scale = size / (size - 2 * context)
    half_height, half_width = (y2 - y1 + 1) / 2, (x2 - x1 + 1) / 2
    centre_x, centre_y = x1 + half_width, y1 + half_height
    if square:
        half_height = half_width = max(half_height, half_width)
    x1, x2 = _round(centre_x - half_width * scale), _round(centre_x + half_width * scale)
    y1, y2 = _round(centre_y - half_height * scale), _round(centre_y + half_height * scale)
    scale_x, scale_y = size / (x2 - x1 + 1), size / (y2 - y1 + 1)
    outside = max(0, -x1), max(0, -y1), max(0, x2 - width + 1), max(0, y2 - height + 1)
    x1, y1, x2, y2 = x1 + outside[0], y1 + outside[1], x2 - outside[2], y2 - outside[3]
    _check_inside(x1, y1, x2, y2, height, width)
    down = _round(outside[1] * scale_y)
    right = _round(outside[2 if mirror else 0] * scale_x)
    return Cut(x1, y1, x2, y2, min(_round((y2 - y1 + 1) * scale_y), size - down),
               min(_round((x2 - x1 + 1) * scale_x), size - right), down, right)


def cut_out(image: np.ndarray, cut: Cut, mirror: bool) -> np.ndarray:
    """The part of a picture (H, W, C) as (C, height, width) of ``cut``, mirrored where asked for."""
    part = resize(image[cut.y1: cut.y2 + 1, cut.x1: cut.x2 + 1], cut.height, cut.width)
    return (part[:, ::-1] if mirror else part).transpose(2, 0, 1)


def _check_inside(x1: int, y1: int, x2: int, y2: int, height: int, width: int) -> None:
    if not (0 <= x1 <= x2 < width and 0 <= y1 <= y2 < height):
        raise ValueError(f"the window {x1} {y1} {x2} {y2} does not lie in the picture of {height}x{width} pixels")


def _round(value: float) -> int:
    """To the nearest whole number, halves away from zero, as C's round."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))
