"""Pictures: from files to arrays of bytes, and from one size to another.

Arrays are uint8 (H, W, C), C being 3 in the order blue, green, red, or 1 (grey): what Caffe's data layers work on. Sizes
are changed by ``resize``, which is done here, so that the result depends on no library.
"""
from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from netdef.errors import DataError, did_you_mean

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


def read_image(source: str | os.PathLike[str] | bytes, color: bool = True) -> np.ndarray:
    """A picture file, or its bytes, as uint8 (H, W, 3) in the order blue, green, red; (H, W, 1) without ``color``.

    The picture is turned as its EXIF tag says, transparency is dropped, and of 16 bits a channel the upper 8 are kept,
    as OpenCV's imread does. Read by Pillow, or by OpenCV where only that is installed. Raises DataError with the path.
    """
    where = None if isinstance(source, bytes) else os.fspath(source)
    if isinstance(source, bytes):
        raw = source
    else:
        try:
            with open(source, "rb") as file:
                raw = file.read()
        except OSError as error:
            raise DataError(f"cannot read the picture: {error.strerror or error}", where=where,
                            hint=_near(os.fspath(source))) from error
    try:
        return _decode(raw, color)
    except ValueError as error:
        raise DataError(str(error), where=where) from error


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The picture (H, W, C) at another size, without regard to its proportions; of the same dtype.

    Bilinear, with the centres of the corner pixels half a pixel from the edge: the rule of OpenCV's INTER_LINEAR, of
    which the result differs by at most one grey level. Like it, it looks at no more than four pixels for each new one,
    so that a picture made much smaller is sampled and not averaged. Raises DataError where a size is below 1.
    """
    if min(height, width, *image.shape[:2]) < 1:
        raise DataError(f"cannot resize a picture of {image.shape[0]}x{image.shape[1]} to {height}x{width} pixels")
    if image.shape[:2] == (height, width):
        return image.copy()
    kind = np.float64 if image.dtype == np.float64 else np.float32
    low, high, share = _taps(image.shape[0], height)
    rows = image[low].astype(kind)
    rows += share.astype(kind)[:, None, None] * (image[high].astype(kind) - rows)
    low, high, share = _taps(image.shape[1], width)
    made = rows[:, low]
    made += share.astype(kind)[:, None] * (rows[:, high] - made)
    if image.dtype.kind in "iu":
        made = np.floor(made + 0.5)
    return made.astype(image.dtype, copy=False)


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


def _taps(old: int, new: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each new pixel along an axis: the two old ones around its centre, and the share of the second."""
    at = (np.arange(new) + 0.5) * (old / new) - 0.5
    at = np.clip(at, 0, old - 1)
    low = np.floor(at).astype(np.intp)
    return low, np.minimum(low + 1, old - 1), at - low


def _decode(raw: bytes, color: bool) -> np.ndarray:
    """The bytes of a picture file as (H, W, C). Raises ValueError with what is wrong, DataError without a reader."""
    try:
        from PIL import Image
    except ImportError:
        return _decode_with_opencv(raw, color)
    from PIL import ImageOps, UnidentifiedImageError

    if not raw:
        raise ValueError("the picture is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(raw)) as picture:
                if not color:
                    picture.draft("L", picture.size)  # a JPEG holds its grey: taken as it is, as OpenCV does
                turned = ImageOps.exif_transpose(_eight_bits(picture))
                by_libpng = not color and picture.format == "PNG" and turned.mode not in ("1", "L", "LA")
                pixels = np.asarray(turned.convert("RGB" if color or by_libpng else "L"))
                pixels = _gray_of_png(pixels) if by_libpng else pixels
    except UnidentifiedImageError as error:
        raise ValueError(f"the {len(raw)} bytes are no picture that can be read") from error
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"the picture cannot be read: {error}") from error
    return np.ascontiguousarray(pixels[:, :, ::-1]) if color else pixels[:, :, None]


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
