"""Space: a net's input values as pixels from 0 to 255 and back, whatever preprocessing stands between the two."""
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from netdef.data.images import read_image
from netdef.data.preprocessing import Preprocessing
from netdef.errors import DataError


@dataclass(frozen=True)
class Space:
    """Where an input's values lie: ``low`` is a black pixel and ``high`` a white one, each (C, H, W).

    Scale and mean of a preprocessing are an affine map, so two values an element say all of it; with ``invert`` low is the
    larger. ``units`` run from 0 (low) to 1 (high); a pixel is 255 units. ``bounded``: values outside are no picture.
    ``picture``: it can be written as one, with 1 or 3 channels; ``rgb``: these are in the order red, green, blue.

    >>> space = Space.of(Preprocessing(scale=(0.00390625,)), (1, 2, 2))
    >>> space.to_values(np.full((1, 1, 2, 2), 0.5)).round(4).tolist()
    [[[[0.498, 0.498], [0.498, 0.498]]]]
    """

    low: np.ndarray
    high: np.ndarray
    bounded: bool = True
    picture: bool = True
    rgb: bool = False
    origin: tuple[str, ...] = ()

    @classmethod
    def of(cls, preprocessing: Preprocessing, shape: tuple[int, ...]) -> Space:
        """The space of pictures that ``preprocessing`` makes for an input of ``shape`` (C, H, W). Raises DataError."""
        made = preprocessing.changed(oversample=False) if preprocessing.oversample else preprocessing
        ends = [made.apply(np.full((*shape[1:], shape[0]), pixel, np.uint8), shape)[0][0].astype(np.float64)
                for pixel in (0, 255)]
        if np.any(ends[0] == ends[1]):
            raise DataError("the preprocessing gives black and white the same value: the scale is 0", where=None)
        return cls(ends[0], ends[1], True, shape[0] in (1, 3), preprocessing.channel_order == "RGB", preprocessing.origin)

    @classmethod
    def plain(cls, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0, bounded: bool = False) -> Space:
        """Of an input that takes no pictures: units from ``low`` to ``high``, which are limits where ``bounded``."""
        return cls(np.full(shape, low, np.float64), np.full(shape, high, np.float64), bounded, False)

    @property
    def span(self) -> np.ndarray:
        """How much the value changes from unit 0 to unit 1, (C, H, W); negative where the preprocessing inverts."""
        return self.high - self.low

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return self.low.shape

    def to_units(self, values: np.ndarray) -> np.ndarray:
        """Input values (N, C, H, W) as units, float64."""
        return (np.asarray(values, np.float64) - self.low) / self.span

    def to_values(self, units: np.ndarray) -> np.ndarray:
        """Units (N, C, H, W) as input values, float64."""
        return self.low + np.asarray(units, np.float64) * self.span

    def clipped(self, units: np.ndarray) -> np.ndarray:
        """The nearest units that are a picture; as they are where nothing bounds them."""
        return np.clip(units, 0, 1) if self.bounded else units

    def as_bytes(self, units: np.ndarray) -> np.ndarray:
        """One item (C, H, W) in units as uint8 (H, W, C), red green blue or grey: what a picture file holds."""
        pixels = np.floor(np.clip(units, 0, 1) * 255 + 0.5).astype(np.uint8)
        if len(pixels) == 3 and not self.rgb:
            pixels = pixels[::-1]
        return np.ascontiguousarray(pixels.transpose(1, 2, 0))

    def of_bytes(self, pixels: np.ndarray) -> np.ndarray:
        """What ``as_bytes`` gave, as units (C, H, W)."""
        units = pixels.transpose(2, 0, 1) / 255
        return units[::-1] if len(units) == 3 and not self.rgb else units


def load(path: str | os.PathLike[str], preprocessing: Preprocessing, shape: tuple[int, ...]) -> np.ndarray:
    """A picture file as the net sees it, (1, C, H, W) values; of ten crops the one in the middle. Raises DataError."""
    one = preprocessing.changed(oversample=False) if preprocessing.oversample else preprocessing
    return one.apply(read_image(path, one.reads_color(shape[0])), shape, os.fspath(path))[0]


def reread(path: str | os.PathLike[str], space: Space) -> np.ndarray:
    """A picture that was written by ``as_bytes``, as units (C, H, W): no resize, no crop. Raises DataError."""
    pixels: Any = read_image(path, space.shape[0] == 3)
    if pixels.shape[:2] != space.shape[1:]:
        raise DataError(f"expected a picture of {space.shape[1]}x{space.shape[2]} pixels, got "
                        f"{pixels.shape[0]}x{pixels.shape[1]}", where=os.fspath(path))
    return space.of_bytes(pixels[:, :, ::-1] if pixels.shape[2] == 3 else pixels)
