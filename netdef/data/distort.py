"""Random changes of colour and size by SSD's rules, on pictures uint8 (H, W, C) in the order blue, green, red.

Values are rounded and cut off at 0 and 255 after each change, as in OpenCV's pictures of bytes. Draws come in a fixed number,
so that a change that is not made moves no other draw.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from netdef.errors import FieldError
from netdef.rng import Stream

_LEVELS = np.arange(256, dtype=np.float64)


def check_distort(param: Any) -> None:
    """Raise FieldError where a DistortionParameter has numbers that cannot be."""
    for name in ("brightness_prob", "contrast_prob", "hue_prob", "saturation_prob", "random_order_prob"):
        if not 0 <= getattr(param, name) <= 1:
            raise FieldError(f"{name}: expected a number from 0 to 1, got {getattr(param, name):g}")
    for name in ("brightness_delta", "hue_delta"):
        if not getattr(param, name) >= 0:
            raise FieldError(f"{name}: expected at least 0, got {getattr(param, name):g}")
    for name in ("contrast", "saturation"):
        low, high = getattr(param, f"{name}_lower"), getattr(param, f"{name}_upper")
        if getattr(param, f"{name}_prob") and not 0 <= low <= high < np.inf:
            raise FieldError(f"expected 0 <= {name}_lower <= {name}_upper, got {low:g} and {high:g}")


def check_expand(param: Any) -> None:
    """Raise FieldError where an ExpansionParameter has numbers that cannot be."""
    if not 0 <= param.prob <= 1:
        raise FieldError(f"prob: expected a number from 0 to 1, got {param.prob:g}")
    if not 1 <= param.max_expand_ratio <= 100:
        raise FieldError(f"max_expand_ratio: expected a number from 1 to 100, got {param.max_expand_ratio:g}")


def distort(picture: np.ndarray, param: Any, stream: Stream) -> np.ndarray:
    """Brightness, contrast, saturation, hue and the order of the channels, each with its probability.

    Contrast comes second or, in half of the pictures, behind the hue. The input is not written.
    """
    u = stream.uniform((10,), "float64")
    order = stream.permutation(3)
    shift = param.brightness_delta * (2 * u[2] - 1) if u[1] < param.brightness_prob else 0.0
    factor = _between(param.contrast_lower, param.contrast_upper, u[4]) if u[3] < param.contrast_prob else 1.0
    purity = _between(param.saturation_lower, param.saturation_upper, u[6]) if u[5] < param.saturation_prob else 1.0
    turn = param.hue_delta * (2 * u[8] - 1) if u[7] < param.hue_prob else 0.0
    early = u[0] > 0.5
    levels = _bytes(_LEVELS + shift)
    if early:
        levels = _bytes(levels * factor)
    made = _through(levels, picture)
    if purity != 1 or turn:
        made = recolored(made, purity, turn)
    if not early and factor != 1:
        made = _through(_bytes(_LEVELS * factor), made)
    if u[9] < param.random_order_prob:
        made = made[:, :, order]
    return made


def expand(picture: np.ndarray, param: Any, fill: np.ndarray, stream: Stream) -> tuple[np.ndarray, tuple[float, ...]]:
    """The picture at a random place of a larger canvas of colour ``fill`` (C), and the canvas in shares of the picture
    (xmin, ymin, xmax, ymax): what ``crops.crop_boxes`` takes as a crop."""
    u = stream.uniform((4,), "float64")
    height, width, channels = picture.shape
    ratio = 1 + (param.max_expand_ratio - 1) * u[1]
    tall, wide = int(height * ratio), int(width * ratio)
    if u[0] > param.prob or (tall, wide) == (height, width):
        return picture, (0.0, 0.0, 1.0, 1.0)
    down, right = int((tall - height) * u[2]), int((wide - width) * u[3])
    canvas = np.empty((tall, wide, channels), np.uint8)
    canvas.reshape(tall, -1)[:] = np.tile(np.broadcast_to(fill, channels), wide)  # rows at a time: faster than pixels
    canvas[down: down + height, right: right + width] = picture
    return canvas, (-right / width, -down / height, (wide - right) / width, (tall - down) / height)


def recolored(picture: np.ndarray, purity: float, turn: float) -> np.ndarray:
    """Saturation times ``purity``, and the hue turned by ``turn`` half degrees, in hue, saturation, value.

    A hue that is turned below 0 (red) stays at 0, as it does in OpenCV's bytes; beyond 180 it goes round. OpenCV rounds the
    hue to half degrees in between, so its values differ by a few grey levels.
    """
    blue, green, red = (picture[:, :, c].astype(np.float32) for c in range(3))
    value = np.maximum(np.maximum(blue, green), red)
    least = np.minimum(np.minimum(blue, green), red)
    chroma = value - least
    share = np.minimum(chroma / np.maximum(value, 1) * np.float32(purity), 1)
    made = np.empty_like(picture)
    if not turn:
        ratio = share * value / np.maximum(chroma, 1)
        for c, old in enumerate((blue, green, red)):
            made[:, :, c] = value - (value - old) * ratio + np.float32(0.5)
        return made
    safe = np.maximum(chroma, 1)
    hue = np.where(value == red, (green - blue) / safe, np.where(value == green, 2 + (blue - red) / safe,
                                                                 4 + (red - green) / safe))
    hue[hue < 0] += 6
    hue += np.float32(turn / 30)
    np.maximum(hue, 0, out=hue)
    for c, at in enumerate((1, 3, 5)):  # blue, green, red
        k = (hue + np.float32(at)) % 6
        part = np.clip(np.minimum(k, 4 - k), 0, 1)
        made[:, :, c] = value * (1 - share * part) + np.float32(0.5)
    return made


def _between(low: float, high: float, u: float) -> float:
    return float(low + (high - low) * u)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255)


def _through(levels: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Every byte replaced by its entry of a table of 256."""
    if np.array_equal(levels, _LEVELS):
        return picture
    return levels.astype(np.uint8).take(picture, mode="clip")
