"""The operations of ``augment`` on one picture (C, H, W), each a function of numbers that were drawn before."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

ATTEMPTS = 10  # parts of random size and proportions that are tried before the centre is taken
_GRAY = np.array([0.114, 0.587, 0.299], np.float32)  # weights of blue, green, red in the grey that the eye sees (BT.601)
# Grey, and two axes of colour at right angles to it, of (blue, green, red); a turn in their plane is a turn of the hue.
_YIQ = np.array([[0.114, 0.587, 0.299], [-0.321, -0.275, 0.596], [0.311, -0.523, 0.212]])


def affine(image: np.ndarray, degrees: float, right: float, down: float, scale: float, shear: float, fill: float) -> np.ndarray:
    """Rotate (against the clock), shear along the rows, scale, and move by shares of width and height; float32, bilinear."""
    channels, height, width = image.shape
    angle, slant = math.radians(degrees), math.tan(math.radians(shear))
    turn = scale * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    a, b = turn[0, 0], turn[0, 0] * slant + turn[0, 1]
    c, d = turn[1, 0], turn[1, 0] * slant + turn[1, 1]
    det = a * d - b * c
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    x = columns - (width - 1) / 2 - right * width
    y = rows - (height - 1) / 2 - down * height
    from_x = (d * x - b * y) / det + (width - 1) / 2
    from_y = (a * y - c * x) / det + (height - 1) / 2
    return _sampled(image, from_y, from_x, fill)


def _sampled(image: np.ndarray, y: np.ndarray, x: np.ndarray, fill: float) -> np.ndarray:
    """The picture at places (H, W) between its pixels; ``fill`` a pixel outside it."""
    channels, height, width = image.shape
    framed = np.full((channels, height + 2, width + 2), fill, np.float32)
    framed[:, 1:-1, 1:-1] = image
    y, x = np.clip(y + 1, 0, height + 1), np.clip(x + 1, 0, width + 1)
    top, left = np.minimum(y.astype(np.intp), height), np.minimum(x.astype(np.intp), width)
    v, u = (y - top).astype(np.float32), (x - left).astype(np.float32)
    upper = framed[:, top, left] * (1 - u) + framed[:, top, left + 1] * u
    lower = framed[:, top + 1, left] * (1 - u) + framed[:, top + 1, left + 1] * u
    made: np.ndarray = upper * (1 - v) + lower * v
    return made


def crop_of(size: Sequence[int], areas: tuple[float, float], aspects: tuple[float, float], u: np.ndarray
            ) -> tuple[int, int, int, int]:
    """Top, left, height and width of a part; ``u`` (ATTEMPTS, 4) are uniform in [0, 1).

    The first part that fits counts; where none does, the largest one at the centre whose proportions are allowed.
    """
    height, width = int(size[0]), int(size[1])
    for area, shape, down, across in u:
        wanted = (areas[0] + area * (areas[1] - areas[0])) * height * width
        aspect = math.exp(math.log(aspects[0]) + shape * (math.log(aspects[1]) - math.log(aspects[0])))
        h, w = round(math.sqrt(wanted / aspect)), round(math.sqrt(wanted * aspect))
        if 0 < h <= height and 0 < w <= width:
            return int(down * (height - h + 1)), int(across * (width - w + 1)), h, w
    aspect = min(max(width / height, aspects[0]), aspects[1])
    h, w = (height, round(height * aspect)) if aspect < width / height else (round(width / aspect), width)
    h, w = min(max(h, 1), height), min(max(w, 1), width)
    return (height - h) // 2, (width - w) // 2, h, w


def color(image: np.ndarray, brightness: float, contrast: float, saturation: float, hue: float, gray: bool) -> np.ndarray:
    """Brightness, contrast, saturation, hue and grey, in this order; float32, within 0 to 255 for pictures of bytes."""
    bound = image.dtype == np.uint8
    made = image.astype(np.float32)
    if brightness != 1:
        made *= np.float32(brightness)
    colored = image.shape[0] == 3
    if contrast != 1:
        mean = _gray(made).mean(dtype=np.float64) if colored else made.mean(dtype=np.float64)
        made = (made - np.float32(mean)) * np.float32(contrast) + np.float32(mean)
    if colored and (saturation != 1 or gray):
        tone = _gray(made)
        made = tone + (made - tone) * np.float32(0 if gray else saturation)
    if colored and hue and not gray:
        made = _turned(made, 2 * math.pi * hue)
    return np.clip(made, 0, 255, out=made) if bound else made


def _gray(image: np.ndarray) -> np.ndarray:
    """(3, H, W) -> (H, W). Term by term: a matrix product would wake BLAS's threads."""
    tone: np.ndarray = image[0] * _GRAY[0] + image[1] * _GRAY[1] + image[2] * _GRAY[2]
    return tone


def _turned(image: np.ndarray, angle: float) -> np.ndarray:
    turn = np.eye(3)
    turn[1:, 1:] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    m = (np.linalg.inv(_YIQ) @ turn @ _YIQ).astype(np.float32)
    return np.stack([image[0] * row[0] + image[1] * row[1] + image[2] * row[2] for row in m])


def cutout(image: np.ndarray, centres: np.ndarray, size: float, value: float) -> np.ndarray:
    """Squares of ``size`` times the shorter side around ``centres`` (k, 2), shares of height and width, set to ``value``."""
    held = image.dtype != np.uint8 or (0 <= value <= 255 and value == int(value))
    made = image.copy() if held else image.astype(np.float32)
    _, height, width = image.shape
    side = round(size * min(height, width))
    for down, across in centres:
        top, left = int(down * height) - side // 2, int(across * width) - side // 2
        made[:, max(top, 0): max(top + side, 0), max(left, 0): max(left + side, 0)] = value
    return made
