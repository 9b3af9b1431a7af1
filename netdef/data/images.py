"""Pictures: from files to arrays of bytes, and (``resize``) from one size to another.

Arrays are uint8 (H, W, C), C being 3 in the order blue, green, red, or 1 (grey): what Caffe's data layers work on.
"""
from __future__ import annotations

import io
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from netdef.data.resize import resize
from netdef.errors import DataError, did_you_mean

__all__ = ["SUFFIXES", "find_images", "read_image", "resize"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def read_image(source: str | os.PathLike[str] | bytes, color: bool = True) -> np.ndarray:
    """A picture file, or its bytes, as uint8 (H, W, 3) in the order blue, green, red; (H, W, 1) without ``color``.

    The picture is turned as its EXIF tag says, transparency is dropped, and of 16 bits a channel the upper 8 are kept,
    as OpenCV's imread does. Read by Pillow, or by OpenCV where only that is installed. The array may be a view, and read-only.
    Raises DataError with the path.
    """
    where = None if isinstance(source, bytes) else os.fspath(source)
    raw = source if isinstance(source, bytes) else read_file(source)
    try:
        return _decode(raw, color)
    except ValueError as error:
        raise DataError(str(error), where=where) from error


def read_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a picture file. Raises DataError with the path."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        name = os.fspath(path)
        raise DataError(f"cannot read the picture: {error.strerror or error}", where=name, hint=_near(name)) from error


def find_images(paths: Iterable[str]) -> list[str]:
    """The picture files that ``paths`` mean: files as they are, folders as the pictures in them, by name.

    Raises DataError for a path that leads nowhere and for a folder without pictures.
    """
    found: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            inside = sorted(name for name in os.listdir(path) if name.lower().endswith(SUFFIXES))
            if not inside:
                raise DataError(f"the folder holds no pictures ({', '.join(SUFFIXES)})", where=path)
            found += [os.path.join(path, name) for name in inside]
        elif not os.path.exists(path):
            raise DataError("no such picture", where=path, hint=_near(path))
        else:
            found.append(path)
    return found


def _decode(raw: bytes, color: bool) -> np.ndarray:
    """The bytes of a picture file as (H, W, C). Raises ValueError with what is wrong, DataError without a reader."""
    try:
        from PIL import Image
    except ImportError:
        return _decode_with_opencv(raw, color)
    from PIL import UnidentifiedImageError

    if not raw:
        raise ValueError("the picture is empty")
    try:
        with Image.open(io.BytesIO(raw)) as picture:
            check_pixels(picture)
            if not color:
                picture.draft("L", picture.size)  # a JPEG holds its grey: taken as it is, as OpenCV does
            turned = _turned(_eight_bits(picture))
            by_libpng = not color and picture.format == "PNG" and turned.mode not in ("1", "L", "LA")
            mode = "RGB" if color or by_libpng else "L"
            pixels = np.asarray(turned if turned.mode == mode else turned.convert(mode))
            pixels = _gray_of_png(pixels) if by_libpng else pixels
    except UnidentifiedImageError as error:
        raise ValueError(f"the {len(raw)} bytes are no picture that can be read") from error
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"the picture cannot be read: {error}") from error
    return pixels[:, :, ::-1] if color else pixels[:, :, None]


def check_pixels(picture: Any) -> None:
    """Raise ValueError for an opened picture of Pillow's that has more pixels than its limit, before they are decoded."""
    from PIL import Image

    width, height = picture.size
    if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
        raise ValueError(f"the picture cannot be read: {width}x{height} pixels exceed the limit of {Image.MAX_IMAGE_PIXELS}")


def _turned(picture: Any) -> Any:
    """The picture as its EXIF tag says that it is to be held; the same one where that is as it lies."""
    if picture.getexif().get(0x0112, 1) == 1:
        return picture
    from PIL import ImageOps

    return ImageOps.exif_transpose(picture)


def _gray_of_png(pixels: np.ndarray) -> np.ndarray:
    """The grey of a coloured PNG (H, W, 3) as libpng makes it, which OpenCV leaves it to: cut off and not rounded."""
    weights = np.array([9797, 19235, 3736], np.uint32)  # 0.299, 0.587, 0.114 of 2**15
    return ((pixels * weights).sum(axis=2, dtype=np.uint32) >> 15).astype(np.uint8)


def _eight_bits(picture: Any) -> Any:
    """The picture, with 8 bits a channel. Raises ValueError for pixels that are no whole numbers."""
    if picture.mode.startswith("I"):  # 16 bits of grey, in whatever order of bytes
        from PIL import Image

        made = Image.fromarray((np.clip(np.asarray(picture), 0, 65535) >> 8).astype(np.uint8))
        made.info = picture.info
        return made
    if picture.mode == "F":
        raise ValueError("expected whole numbers as pixels, got a picture of floats")
    return picture


def _decode_with_opencv(raw: bytes, color: bool) -> np.ndarray:
    try:
        import cv2
    except ImportError as error:
        raise DataError("reading pictures needs Pillow or OpenCV, and neither is installed",
                        hint="pip install netdef[images]") from error
    pixels = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR if color else cv2.IMREAD_GRAYSCALE) if raw else None
    if pixels is None:
        raise ValueError(f"the {len(raw)} bytes are no picture that can be read")
    return np.asarray(pixels).reshape(*pixels.shape[:2], 3 if color else 1)


def _near(path: str) -> str:
    """``did you mean ...?`` from the names that stand in the folder."""
    folder, name = os.path.split(path)
    try:
        return did_you_mean(name, sorted(os.listdir(folder or ".")))
    except OSError:
        return ""
