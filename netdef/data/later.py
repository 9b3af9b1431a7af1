"""Pictures that are decoded when their pixels are asked for: one at a time, and of a crop no more is copied than it keeps."""
from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from netdef.data.images import check_pixels
from netdef.data.resize import resize
from netdef.errors import DataError

Shape = tuple[int, int, int]
Box = tuple[int, int, int, int]
"""top, left, height, width"""


class Later(NamedTuple):
    """A picture (C, H, W) uint8 whose size is known. ``window`` gives a part of it, perhaps a view; it raises DataError."""

    shape: Shape
    window: Callable[[Box], np.ndarray]


def window(image: np.ndarray | Later, box: Box) -> np.ndarray:
    """A part of a picture (C, H, W). Raises DataError where it cannot be decoded."""
    if isinstance(image, Later):
        return image.window(box)
    top, left, height, width = box
    return image[:, top: top + height, left: left + width]


def resized(image: np.ndarray | Later, height: int, width: int) -> Later:
    """The picture at another size, bilinear."""
    channels, old_height, old_width = image.shape

    def made(box: Box) -> np.ndarray:
        whole = window(image, (0, 0, old_height, old_width)).transpose(1, 2, 0)
        return window(resize(whole, height, width).transpose(2, 0, 1), box)

    return Later((channels, height, width), made)


def jpeg(raw: bytes, turned: bool, bad: Callable[[ValueError], DataError]) -> Later | None:
    """A coloured JPEG file, channels in the order blue, green, red; None for any other file, which is to be read at once.

    ``turned``: as its EXIF tag says (None where that turns it). ``bad`` makes the error of a picture that cannot be decoded.
    """
    if raw[:3] != b"\xff\xd8\xff":
        return None
    try:
        from PIL import Image

        picture = Image.open(io.BytesIO(raw))
        check_pixels(picture)
        if picture.mode != "RGB" or (turned and picture.getexif().get(0x0112, 1) != 1):
            return None
    except (ImportError, OSError, SyntaxError, EOFError, ValueError, Image.DecompressionBombError):
        return None  # whoever reads it at once says what is wrong
    opened = [picture]

    def pixels(box: Box) -> np.ndarray:
        top, left, height, width = box
        picture = opened.pop() if opened else Image.open(io.BytesIO(raw))
        try:
            part = picture if (width, height) == picture.size else picture.crop((left, top, left + width, top + height))
            return np.asarray(part)[:, :, ::-1].transpose(2, 0, 1)
        except (OSError, SyntaxError, EOFError) as error:
            raise bad(ValueError(f"the picture cannot be read: {error}")) from error

    return Later((3, picture.size[1], picture.size[0]), pixels)
