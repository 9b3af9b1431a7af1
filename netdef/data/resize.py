"""Pictures at another size, by OpenCV's rules and to one grey level of it, without OpenCV: the result depends on no library.

Each axis has its taps: which old pixels make a new one, and their shares. Rows are done in blocks, whose sums stay in the
cache of the processor.
"""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from netdef.errors import DataError

_BLOCK = 1 << 16  # values that are worked on at a time
_A = -0.75        # the bend of OpenCV's cubic


class Taps(NamedTuple):
    """For each new pixel along an axis: old pixels ``pixel`` (new, k), and their shares ``weight`` (new, k), float64."""

    pixel: np.ndarray
    weight: np.ndarray


def resize(image: np.ndarray, height: int, width: int, how: str = "linear") -> np.ndarray:
    """The picture (H, W, C) at another size, without regard to its proportions; of the same dtype.

    ``how`` is one of ``METHODS``. "linear" is bilinear, with the centres of the corner pixels half a pixel from the edge
    (OpenCV's INTER_LINEAR); like OpenCV's it looks at no more than four pixels for each new one, so that a picture made much
    smaller is sampled and not averaged. "area" averages. Raises DataError where a size is below 1.
    """
    if min(height, width, *image.shape[:2]) < 1:
        raise DataError(f"cannot resize a picture of {image.shape[0]}x{image.shape[1]} to {height}x{width} pixels")
    if image.shape[:2] == (height, width):
        return image.copy()
    if image.strides[2] < 0:  # decoded pictures come with their channels turned round by a view
        return resize(image[:, :, ::-1], height, width, how)[:, :, ::-1]
    if how == "area" and (height > image.shape[0] or width > image.shape[1]):
        how = "area_up"  # OpenCV averages only where no side grows
    channels = image.shape[2]
    kind = np.float64 if image.dtype == np.float64 else np.float32
    down, across = _taps(how, image.shape[0], height), _across(how, image.shape[1], width, channels)
    shares = across.weight.astype(kind)
    old = np.ascontiguousarray(image).reshape(image.shape[0], -1)
    made = np.empty((height, width * channels), image.dtype)
    step = max(1, _BLOCK // max(old.shape[1], made.shape[1]))
    whole = image.dtype.kind in "iu"
    limits = np.iinfo(image.dtype) if whole and how in ("cubic", "lanczos4") else None
    for first in range(0, height, step):
        block = slice(first, first + step)
        rows = _mixed(old, down.pixel[block].T, down.weight[block].T.astype(kind)[:, :, None], 0)
        found = _mixed(rows, across.pixel.T, shares.T, 1)
        if limits is not None:
            np.clip(found, limits.min, limits.max, out=found)
        if whole:
            found += kind(0.5)
            np.floor(found, out=found)
        made[block] = found
    return made.reshape(height, width, channels)


def _mixed(array: np.ndarray, index: np.ndarray, weight: np.ndarray, axis: int) -> np.ndarray:
    """Slices of a table along an axis, each times its weight, summed; of the dtype of ``weight``."""
    first = array.take(index[0], axis, mode="clip").astype(weight.dtype, copy=False)
    if len(index) == 2:  # between two: exact where they are alike
        second = array.take(index[1], axis, mode="clip").astype(weight.dtype, copy=False)
        second -= first
        second *= weight[1]
        first += second
        return first
    first *= weight[0]
    for at, share in zip(index[1:], weight[1:], strict=True):
        part = array.take(at, axis, mode="clip").astype(weight.dtype, copy=False)
        part *= share
        first += part
    return first


@functools.lru_cache(64)
def _across(how: str, old: int, new: int, channels: int) -> Taps:
    """Taps along rows in which the channels lie side by side."""
    index, weight = _taps(how, old, new)
    wide = index[:, None, :] * channels + np.arange(channels)[:, None]
    return Taps(wide.reshape(new * channels, -1), np.repeat(weight, channels, axis=0))


@functools.lru_cache(64)
def _taps(how: str, old: int, new: int) -> Taps:
    index, weight = METHODS[how](old, new)
    return Taps(np.clip(index, 0, old - 1).astype(np.intp), weight)


def _centres(old: int, new: int) -> np.ndarray:
    """Where the centres of new pixels lie among the old ones, whose own are whole numbers."""
    found: np.ndarray = (np.arange(new) + 0.5) * (old / new) - 0.5
    return found


def _linear(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    at = np.clip(_centres(old, new), 0, old - 1)
    return _between(np.floor(at), at - np.floor(at))


def _between(low: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.stack((low, low + 1), 1), np.stack((1 - share, share), 1)


def _nearest(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    return np.floor(np.arange(new) * (1 / (new / old)))[:, None], np.ones((new, 1))


def _area(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """Each new pixel is the mean of what it covers."""
    ends = np.arange(new + 1) * (old / new)
    low, high = ends[:-1, None], ends[1:, None]
    index = np.floor(low) + np.arange(int(np.ceil(old / new)) + 1)
    covered = np.clip(np.minimum(index + 1, high) - np.maximum(index, low), 0, None)
    return index, covered / covered.sum(axis=1, keepdims=True)


def _area_up(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """Where a picture grows: linear, but only in new pixels that lie over two old ones."""
    number = np.arange(new)
    low = np.floor(number * (1 / (new / old)))
    share = (number + 1) - (low + 1) * (new / old)
    return _between(low, np.where(share <= 0, 0, share - np.floor(share)))


def _cubic(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    at = _centres(old, new)
    low = np.floor(at)
    x = at - low

    def near(t: np.ndarray) -> np.ndarray:
        return np.asarray(((_A + 2) * t - (_A + 3)) * t * t + 1)

    first = ((_A * (x + 1) - 5 * _A) * (x + 1) + 8 * _A) * (x + 1) - 4 * _A
    weights = [first, near(x), near(1 - x)]
    return low[:, None] + np.arange(-1, 3), np.stack([*weights, 1 - sum(weights)], 1)


def _lanczos4(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    at = _centres(old, new)
    index = np.floor(at)[:, None] + np.arange(-3, 5)
    away = at[:, None] - index
    weight = np.sinc(away) * np.sinc(away / 4)
    return index, weight / weight.sum(axis=1, keepdims=True)


METHODS: dict[str, Callable[[int, int], tuple[np.ndarray, np.ndarray]]] = {
    "linear": _linear, "area": _area, "area_up": _area_up, "nearest": _nearest, "cubic": _cubic, "lanczos4": _lanczos4}
"""Rules by the names of SSD's interp_mode, in small letters."""
