"""Damage to pictures, ``noise_param``, by SSD's rules: all that is switched on is done to every picture, in SSD's order.

Pictures are uint8 (H, W, C), in the order blue, green, red where C is 3. Agrees with OpenCV to a few grey levels, JPEG's
round trip as far as the two libraries for it do.
"""
from __future__ import annotations

import io
from typing import Any

import numpy as np

from netdef.errors import DataError, FieldError
from netdef.rng import Stream

_GRAY = np.array([0.114, 0.587, 0.299], np.float32)
_BLUR = np.exp(-np.arange(-3, 4) ** 2 / (2 * 1.5**2))  # 7 taps, sigma 1.5
_POSTERS = 64     # grey levels that become one
_CLIP, _TILES = 4, 8  # OpenCV's limit of contrast as SSD sets it, and its grid


def check_damage(param: Any) -> None:
    """Raise FieldError where a NoiseParameter asks for what cannot be."""
    if param.convert_to_lab:
        raise FieldError("convert_to_lab: not for nets that read bytes", hint="in SSD its floats are read as if they were bytes")
    if param.jpeg > 100:
        raise FieldError(f"jpeg: expected a quality up to 100, got {param.jpeg:g}")
    if param.saltpepper and not 0 <= param.saltpepper_param.fraction <= 1:
        raise FieldError(f"saltpepper_param: fraction: expected a number from 0 to 1, got {param.saltpepper_param.fraction:g}")
    if param.saltpepper and not param.saltpepper_param.value:
        raise FieldError("saltpepper_param: value: missing; expected one number for all channels or one for each")


def damage(picture: np.ndarray, param: Any, stream: Stream) -> np.ndarray:
    """The picture after all that is switched on. Raises DataError without Pillow (jpeg), ValueError for numbers of channels that
    do not fit."""
    colored = picture.shape[2] == 3
    if not colored and (param.decolorize or param.convert_to_hsv):
        raise ValueError(f"decolorize and convert_to_hsv need 3 channels, the picture has {picture.shape[2]}")
    made = picture
    if param.decolorize:
        made = np.repeat(_luma(made)[:, :, None], 3, 2)
    if param.gauss_blur:
        made = _blurred(made)
    for on, change in ((param.hist_eq, _equalized), (param.clahe, _equalized_locally)):
        if on:
            made = _of_luma(made, change) if colored else change(made[:, :, 0])[:, :, None]
    if param.jpeg > 0:
        made = _through_jpeg(made, int(param.jpeg))
    if param.erode:
        made = _eroded(made)
    if param.posterize:
        made = made // _POSTERS * _POSTERS + np.uint8(_POSTERS // 2)
    if param.inverse:
        made = 255 - made
    if param.saltpepper:
        made = _peppered(made, param.saltpepper_param, stream)
    return _hsv(made) if param.convert_to_hsv else made


def _rounded(values: np.ndarray) -> np.ndarray:
    made: np.ndarray = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return made


def _blurred(picture: np.ndarray) -> np.ndarray:
    weights = (_BLUR / _BLUR.sum()).astype(np.float32)
    made = picture.astype(np.float32)
    for axis in (0, 1):
        frame = [(3, 3) if k == axis else (0, 0) for k in range(3)]
        wide = np.pad(made, frame, "reflect" if min(picture.shape[:2]) > 3 else "edge")
        made = sum(w * np.take(wide, range(k, k + made.shape[axis]), axis) for k, w in enumerate(weights))
    return _rounded(made)


def _of_luma(picture: np.ndarray, change: Any) -> np.ndarray:
    """``change`` done to the lightness of a coloured picture (Y of YCrCb), its colours kept."""
    luma = _luma(picture)
    return _rounded(picture + (change(luma).astype(np.float32) - luma)[:, :, None])


def _luma(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (H, W). Term by term: a matrix product would wake BLAS's threads."""
    return _rounded(picture[:, :, 0] * _GRAY[0] + picture[:, :, 1] * _GRAY[1] + picture[:, :, 2] * _GRAY[2])


def _equalized(gray: np.ndarray) -> np.ndarray:
    """(H, W), its histogram spread evenly."""
    sums = np.bincount(gray.ravel(), minlength=256).cumsum()
    least = sums[sums > 0][0]
    if least == gray.size:
        return gray
    return _rounded((sums - least) * (255 / (gray.size - least)))[gray]


def _equalized_locally(gray: np.ndarray) -> np.ndarray:
    """(H, W), its histogram spread in tiles with a limit to the contrast (CLAHE), blended between the tiles."""
    height, width = gray.shape
    tall, wide = -(-height // _TILES), -(-width // _TILES)
    rest = tall * _TILES - height, wide * _TILES - width
    framed = gray
    if any(rest):  # OpenCV fills both sides up where one does not divide
        rest = (_TILES - height % _TILES, _TILES - width % _TILES)
        tall, wide = (height + rest[0]) // _TILES, (width + rest[1]) // _TILES
        framed = np.pad(gray, ((0, rest[0]), (0, rest[1])), "reflect" if min(gray.shape) > _TILES else "edge")
    tiles = framed.reshape(_TILES, tall, _TILES, wide).transpose(0, 2, 1, 3).reshape(_TILES * _TILES, -1)
    tables = np.stack([_table(tile) for tile in tiles]).reshape(_TILES, _TILES, 256).astype(np.float32)
    y, x = (np.arange(height) / tall - 0.5)[:, None], (np.arange(width) / wide - 0.5)[None, :]
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    v, u = (y - top).astype(np.float32), (x - left).astype(np.float32)
    rows = [np.clip(top + k, 0, _TILES - 1) for k in (0, 1)]
    columns = [np.clip(left + k, 0, _TILES - 1) for k in (0, 1)]
    (a, b), (c, d) = ([tables[r, col, gray] for col in columns] for r in rows)
    return _rounded((a * (1 - u) + b * u) * (1 - v) + (c * (1 - u) + d * u) * v)


def _table(tile: np.ndarray) -> np.ndarray:
    counts = np.bincount(tile, minlength=256)
    limit = max(int(_CLIP * tile.size / 256), 1)
    spare = int(np.maximum(counts - limit, 0).sum())
    counts = np.minimum(counts, limit) + spare // 256
    left = spare % 256
    if left:
        counts[:: max(256 // left, 1)][:left] += 1
    return _rounded(counts.cumsum() * (255 / tile.size))


def _through_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError("noise_param { jpeg } needs Pillow, which is not installed", hint="pip install netdef[images]") from error
    from netdef.data.images import read_image

    file = io.BytesIO()
    colored = picture.shape[2] == 3
    pixels = np.ascontiguousarray(picture[:, :, ::-1] if colored else picture[:, :, 0])
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=2)
    return read_image(file.getvalue(), colored)


def _eroded(picture: np.ndarray) -> np.ndarray:
    """The least of each pixel and its four neighbours."""
    made = picture.copy()
    np.minimum(made[1:], picture[:-1], out=made[1:])
    np.minimum(made[:-1], picture[1:], out=made[:-1])
    np.minimum(made[:, 1:], picture[:, :-1], out=made[:, 1:])
    np.minimum(made[:, :-1], picture[:, 1:], out=made[:, :-1])
    return made


def _peppered(picture: np.ndarray, param: Any, stream: Stream) -> np.ndarray:
    """Single pixels set; the same one may be drawn twice."""
    height, width, channels = picture.shape
    values = np.asarray(param.value, np.float64)
    if values.size not in (1, channels):
        raise ValueError(f"saltpepper_param: expected 1 or {channels} values, got {values.size}")
    count = int(param.fraction * height * width)
    places = stream.integers(0, height * width, (count,)) if count else np.empty(0, np.int64)
    made = picture.copy()
    made.reshape(-1, channels)[places] = values.astype(np.int64).astype(np.uint8)
    return made


def _hsv(picture: np.ndarray) -> np.ndarray:
    """Hue (0 to 179), saturation and value (0 to 255) as the three channels."""
    blue, green, red = (picture[:, :, c].astype(np.float32) for c in range(3))
    value = picture.max(axis=2).astype(np.float32)
    chroma = value - picture.min(axis=2)
    safe = np.maximum(chroma, 1)
    hue = np.where(value == red, (green - blue) / safe, np.where(value == green, 2 + (blue - red) / safe,
                                                                 4 + (red - green) / safe)) * 30
    hue = np.where(hue < 0, hue + 180, hue)
    return np.stack([_rounded(hue) % 180, _rounded(chroma / np.maximum(value, 1) * 255), value.astype(np.uint8)], 2)
