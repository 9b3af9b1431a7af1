"""Answers drawn into pictures: boxes with their names, or the best classes in a corner."""
from __future__ import annotations

import colorsys
import io
import os
from pathlib import Path
from typing import Any

from netdef.data.labels import short
from netdef.errors import DataError
from netdef.predict.result import Prediction
from netdef.weights.atomic import atomic_write

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".webp": "WEBP"}


def check_target(path: str | os.PathLike[str]) -> None:
    """Raise DataError unless ``path`` can be drawn to: Pillow is there, and the ending is one of a picture."""
    _pillow()
    suffix = Path(path).suffix.lower()
    if suffix not in _FORMATS:
        raise DataError(f"expected a file that ends in {', '.join(_FORMATS)}, got '{suffix or 'no ending'}'",
                        where=os.fspath(path))


def annotate(picture: str | os.PathLike[str], prediction: Prediction, out: str | os.PathLike[str]) -> None:
    """Write the picture with the answer drawn in. ``out`` appears whole or not at all. Raises DataError, WeightsError."""
    check_target(out)
    image = _open(picture)
    draw = _pillow()[1].Draw(image)
    size = max(10, min(image.size) // 28)
    if prediction.task == "detect":
        for box in reversed(prediction.boxes):  # the best on top
            color = _color(box.index)
            left, top, right, bottom = box.corners
            draw.rectangle((min(left, right), min(top, bottom), max(left, right), max(top, bottom)), outline=color,
                           width=max(1, size // 6))
            _text(draw, (left, max(0, top - size * 1.4)), f"{short(box.name)} {box.score:.2f}", color, size)
    else:
        for i, guess in enumerate(prediction.classes):
            _text(draw, (0, i * size * 1.4), f"{short(guess.name)} {guess.score:.2f}", _color(guess.index), size)
    buffer = io.BytesIO()
    image.save(buffer, _FORMATS[Path(out).suffix.lower()])
    with atomic_write(out) as file:
        file.write(buffer.getvalue())


def _open(path: str | os.PathLike[str]) -> Any:
    """The picture in colour, turned as read_image turns it."""
    from netdef.data.images import read_image

    return _pillow()[0].fromarray(read_image(path)[:, :, ::-1].copy())


def _text(draw: Any, at: tuple[float, float], text: str, color: tuple[int, int, int], size: int) -> None:
    font = _pillow()[2].load_default(size)
    draw.rectangle(draw.textbbox(at, text, font=font), fill=color)
    draw.text(at, text, fill=(0, 0, 0), font=font)


def _color(index: int) -> tuple[int, int, int]:
    """A bright colour for each class, neighbours far apart."""
    red, green, blue = colorsys.hsv_to_rgb(index * 0.61803 % 1, 0.6, 1)
    return round(255 * red), round(255 * green), round(255 * blue)


def _pillow() -> tuple[Any, Any, Any]:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise DataError("drawing into pictures needs Pillow, which is not installed",
                        hint="pip install netdef[images]") from error
    return Image, ImageDraw, ImageFont
