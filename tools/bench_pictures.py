"""Pictures for the benchmarks, made of noise: as rough as photographs, so that JPEG files of them are as large and as slow."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

SIZES = ((256, 256), (500, 375))
"""Width, height: pictures that were brought to one size, and ImageNet's usual one."""
SLOPE = 1.2
"""Waves are as high as their length to this power; about what photographs have."""
DISTINCT = 20
"""Pictures that are made anew; the others are these, shifted and mirrored."""


def noise(rng: Any, shape: Sequence[int]) -> Any:
    """Noise of mean 0 and deviation 1 along the last two axes; large waves are high and small ones low, as in photographs."""
    import numpy as np

    if len(shape) < 2 or min(shape[-2:]) < 2:
        return rng.standard_normal(shape)
    rows, columns = np.fft.fftfreq(shape[-2])[:, None], np.fft.rfftfreq(shape[-1])[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf  # no mean
    made = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) / frequency**SLOPE, s=tuple(shape[-2:]))
    return made / made.std(axis=(-2, -1), keepdims=True)


def write_pictures(folder: Path, width: int, height: int, count: int, classes: int = 10) -> Path:
    """JPEG files of quality 90 and the list that names them with a label each; the path of the list. Needs Pillow."""
    import numpy as np
    from PIL import Image

    rng, lines = np.random.default_rng(width), []
    base = []
    for _ in range(min(DISTINCT, count)):
        grey, colour = noise(rng, (1, height, width)), noise(rng, (3, height, width))
        base.append(np.clip(118 + 50 * grey + 14 * colour, 0, 255).astype(np.uint8).transpose(1, 2, 0))
    folder.mkdir(parents=True)
    for k in range(count):
        picture = np.roll(base[k % len(base)], (17 * k, 29 * k), (0, 1))[:, :: -1 if k % 2 else 1]
        Image.fromarray(np.ascontiguousarray(picture)).save(folder / f"{k:04d}.jpg", quality=90)
        lines.append(f"{k:04d}.jpg {k % classes}\n")
    path = folder / "list.txt"
    path.write_text("".join(lines), encoding="utf-8")
    return path
