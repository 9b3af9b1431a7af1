"""What the probes draw: heat maps, overlays, rows of pictures, animations; written whole or not at all."""
from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netdef.data.images import resize
from netdef.errors import DataError
from netdef.weights.atomic import atomic_write

LEAST = 224  # pixels of the longer side that smaller pictures are enlarged to, for people
ARRAYS = (".npy", ".npz")
PICTURES = (".png",)


def heat_colours(heat: np.ndarray, signed: bool | None = None) -> np.ndarray:
    """A map (H, W) as uint8 (H, W, 3), red green blue.

    Signed (by default: where a value is negative): blue below 0, white at 0, red above it, the same scale both ways. Else
    black at 0, over red and yellow, to white. The largest absolute value, or its 99.5th percentile, has the full colour.
    """
    signed = bool((heat < 0).any()) if signed is None else signed
    most = float(np.percentile(np.abs(heat), 99.5)) or float(np.abs(heat).max(initial=0)) or 1.0
    level = np.clip(heat / most, -1, 1)[..., None]
    if signed:
        colours = np.where(level >= 0, 1 - level * np.array([0.1, 0.85, 0.85]), 1 + level * np.array([0.85, 0.7, 0.1]))
    else:
        colours = np.clip(3 * level - np.array([0.0, 1.0, 2.0]), 0, 1)
    return np.floor(np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8)


def overlay(pixels: np.ndarray, heat: np.ndarray, strength: float = 0.6) -> np.ndarray:
    """A picture (H, W, 1 or 3), grey, with a map (h, w) over it in colour: uint8 (H, W, 3). The map is resized to fit."""
    grey = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2)
    fitted = fit(heat, pixels.shape[0], pixels.shape[1])
    most = float(np.percentile(np.abs(fitted), 99.5)) or float(np.abs(fitted).max(initial=0)) or 1.0
    share = strength * np.clip(np.abs(fitted) / most, 0, 1)[..., None] ** 0.7
    colours = np.where(fitted[..., None] >= 0, [255.0, 40.0, 0.0], [0.0, 90.0, 255.0])
    return np.floor((1 - share) * grey + share * colours + 0.5).astype(np.uint8)


def fit(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map (h, w) at another size, bilinear."""
    return heat if heat.shape == (height, width) else resize(np.asarray(heat, np.float64)[:, :, None], height, width)[:, :, 0]


def difference(units: np.ndarray, origin: np.ndarray, rgb: bool) -> np.ndarray:
    """The change from ``origin`` to ``units`` (both (C, H, W)) as uint8 (H, W, C): grey is none, the largest is black or
    white."""
    off = units - origin
    off = off[::-1] if len(off) == 3 and not rgb else off
    return np.floor(127.5 * (1 + off / (np.abs(off).max(initial=0) or 1)) + 0.5).astype(np.uint8).transpose(1, 2, 0)


def enlarged(pixels: np.ndarray, least: int = LEAST) -> np.ndarray:
    """A small picture (H, W, C) made larger by a whole number, pixels staying sharp."""
    factor = max(1, -(-least // max(pixels.shape[:2]))) if max(pixels.shape[:2]) < least else 1
    return np.repeat(np.repeat(pixels, factor, axis=0), factor, axis=1)


def side_by_side(pictures: Sequence[np.ndarray], gap: int = 4) -> np.ndarray:
    """Pictures (H, W, 1 or 3) in a row, uint8 (H, sum of W and gaps, 3), white between them; lower ones are filled up."""
    height = max(p.shape[0] for p in pictures)
    parts: list[np.ndarray] = []
    for p in pictures:
        colour = np.repeat(p, 3, axis=2) if p.shape[2] == 1 else p
        parts += [np.full((height, gap, 3), 255, np.uint8)] if parts else []
        parts.append(np.pad(colour, ((0, height - p.shape[0]), (0, 0), (0, 0)), constant_values=255))
    return np.concatenate(parts, axis=1)


def rows(pictures: Sequence[Sequence[np.ndarray]], gap: int = 4) -> np.ndarray:
    """Rows of pictures below each other, as ``side_by_side`` makes them."""
    made = [side_by_side(row, gap) for row in pictures]
    width = max(r.shape[1] for r in made)
    return np.concatenate([np.pad(r, ((0, 0 if r is made[-1] else gap), (0, width - r.shape[1]), (0, 0)),
                                  constant_values=255) for r in made])


def check_out(path: str | os.PathLike[str], endings: Sequence[str]) -> str:
    """The ending of a file to write, in small letters. Raises DataError for another one than ``endings``, for a folder that
    is not there, and without Pillow where it is needed."""
    suffix = Path(path).suffix.lower()
    if suffix not in endings:
        raise DataError(f"expected a file that ends in {', '.join(endings)}, got '{suffix or 'no ending'}'",
                        where=os.fspath(path))
    if not Path(path).resolve().parent.is_dir():
        raise DataError("the folder to write to does not exist", where=os.fspath(path))
    if suffix not in ARRAYS:
        _pillow()
    return suffix


def write_picture(path: str | os.PathLike[str], pixels: np.ndarray) -> None:
    """Write uint8 (H, W, 1 or 3), red green blue, as a PNG, pixel for pixel. Raises DataError, WeightsError."""
    check_out(path, PICTURES)
    _save(path, _pillow().fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels), "PNG")


def write_animation(path: str | os.PathLike[str], frames: Sequence[np.ndarray], milliseconds: int = 80) -> None:
    """Write uint8 pictures (H, W, 1 or 3) as an endless GIF, the last one shown longer. Raises DataError, WeightsError."""
    check_out(path, (".gif",))
    images = [_pillow().fromarray(p[:, :, 0] if p.shape[2] == 1 else p) for p in frames]
    times = [milliseconds] * (len(images) - 1) + [10 * milliseconds]
    _save(path, images[0], "GIF", save_all=True, append_images=images[1:], duration=times, loop=0)


def write_arrays(path: str | os.PathLike[str], first: str, **arrays: np.ndarray) -> None:
    """Write all arrays to an .npz, or the one called ``first`` to an .npy. Raises DataError, WeightsError."""
    suffix = check_out(path, ARRAYS)
    with atomic_write(path) as file:
        if suffix == ".npz":
            np.savez(file, **arrays)  # type: ignore[arg-type]
        else:
            np.save(file, arrays[first])


def _save(path: str | os.PathLike[str], image: Any, form: str, **options: Any) -> None:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    with atomic_write(path) as file:
        file.write(buffer.getvalue())


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError("writing pictures needs Pillow, which is not installed", hint="pip install netdef[images]") from error
    return Image
