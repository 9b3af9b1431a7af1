"""Contact sheets: many small pictures with a line of text under each, as one PNG."""
from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from netdef.datasets.records import Box
from netdef.errors import DataError
from netdef.weights.atomic import atomic_write

_LEAST, _MOST = 64, 224  # pixels of a tile's longer side
_GAP, _LINE = 4, 14


class Tile(NamedTuple):
    """A picture (C, H, W) and what stands under it."""

    pixels: np.ndarray
    text: str
    boxes: Sequence[Box] = ()


def draw_sheet(tiles: Sequence[Tile], out: str | os.PathLike[str], title: str = "", rgb: bool = False,
               limits: tuple[float, float] | None = None) -> None:
    """Write the tiles as a PNG, row by row. ``rgb``: three channels are red, green, blue (else blue, green, red).

    ``limits`` are the values that become black and white; without them they follow from the values (``range_of``). Raises
    DataError without Pillow, for another ending than .png, and where there are no tiles.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise DataError("drawing a contact sheet needs Pillow, which is not installed",
                        hint="pip install netdef[images]") from error
    if not os.fspath(out).lower().endswith(".png"):
        raise DataError("expected a name that ends in .png", where=os.fspath(out))
    if not tiles:
        raise DataError("there are no pictures to draw", where=os.fspath(out))
    low, high = limits or range_of([t.pixels for t in tiles])
    pictures = [_scaled(Image, colours(t.pixels, low, high, rgb)) for t in tiles]
    width, height = (max(p.size[k] for p in pictures) + _GAP for k in (0, 1))
    height += _LINE
    columns = max(1, min(len(tiles), round(math.sqrt(len(tiles) * height / width * 1.4))))
    top = _LINE + _GAP if title else 0
    sheet = Image.new("RGB", (columns * width + _GAP, top + math.ceil(len(tiles) / columns) * height + _GAP), (32, 32, 32))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    if title:
        draw.text((_GAP, 2), title, fill=(255, 255, 255), font=font)
    for i, (tile, picture) in enumerate(zip(tiles, pictures, strict=True)):
        x, y = _GAP + i % columns * width, top + _GAP + i // columns * height
        sheet.paste(picture, (x, y))
        for box in tile.boxes:
            corners = [o + v * n for v, o, n in zip(box[1:5], (x, y) * 2, picture.size * 2, strict=True)]
            draw.rectangle(corners, outline=(255, 220, 0))
        draw.text((x, y + picture.size[1]), _fitting(draw, tile.text, width - _GAP, font), fill=(220, 220, 220), font=font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    with atomic_write(out) as file:
        file.write(buffer.getvalue())


def range_of(arrays: Sequence[np.ndarray]) -> tuple[float, float]:
    """The values to draw black and white: 0 and 255 for bytes, 0 and 1 for values in between, else the ends of the values."""
    finite = [a[np.isfinite(a)] for a in arrays]
    lowest = min((float(a.min()) for a in finite if a.size), default=0.0)
    highest = max((float(a.max()) for a in finite if a.size), default=1.0)
    if lowest >= 0 and highest <= 1 and any(a.dtype != np.uint8 for a in arrays):
        return 0.0, 1.0
    if lowest >= 0 and highest <= 255:
        return 0.0, 255.0
    return lowest, highest


def colours(pixels: np.ndarray, low: float, high: float, rgb: bool) -> np.ndarray:
    """(C, H, W) -> uint8 (H, W, 3), red green blue; of other numbers of channels than 3 and 4 the first as grey."""
    values = np.nan_to_num(np.asarray(pixels, np.float64), nan=low, posinf=high, neginf=low)
    values = np.clip((values - low) / ((high - low) or 1) * 255, 0, 255).round().astype(np.uint8)
    if len(values) not in (3, 4):
        values = np.repeat(values[:1], 3, 0)
    elif not rgb:
        values = values[2::-1]
    return np.ascontiguousarray(values[:3].transpose(1, 2, 0))


def _scaled(image: Any, pixels: np.ndarray) -> Any:
    """A picture of a size that can be looked at; small ones are enlarged by a whole number, pixels staying sharp."""
    picture, longer = image.fromarray(pixels), max(pixels.shape[:2])
    if longer < _LEAST:
        factor = -(-_LEAST // longer)
        return picture.resize((picture.size[0] * factor, picture.size[1] * factor), image.Resampling.NEAREST)
    if longer > _MOST:
        return picture.resize(tuple(max(1, n * _MOST // longer) for n in picture.size), image.Resampling.BILINEAR)
    return picture


def _fitting(draw: Any, text: str, width: int, font: Any) -> str:
    while text and draw.textlength(text, font=font) > width:
        text = text[:-1]
    return text
