"""Noise in the shape of pictures, ``builtin:noise/3x256x256/1000``: runs a net whose real data is not at hand."""
from __future__ import annotations

import re

import numpy as np

from netdef.data.source import ArraySource
from netdef.errors import DataError
from netdef.rng import Stream

NAME = "noise"
FORM = "noise/<channels>x<height>x<width>/<classes>"
COUNT = 64
_PATTERN = re.compile(r"noise/(\d+)x(\d+)x(\d+)/(\d+)")
_MOST = 1 << 24  # values of one picture


def open_noise(name: str, source: str) -> ArraySource:
    """64 pictures (C, H, W) of uniform bytes, uint8, and labels from 0 to classes - 1; the same ones for the same name.

    ``name`` is ``source`` without "builtin:". A net can learn the 64 by heart, which is a test of its own. Raises
    DataError for a name that does not follow the form.
    """
    found = _PATTERN.fullmatch(name)
    channels, height, width, classes = map(int, found.groups()) if found else (0, 0, 0, 0)
    if not 1 <= channels * height * width <= _MOST or not 1 <= classes <= 1 << 24:
        raise DataError(f"expected builtin:{FORM}, got '{name}'", where=source,
                        hint="for example builtin:noise/3x256x256/1000")
    shape = (COUNT, channels, height, width)
    draw = Stream(1, NAME)
    words = draw.bits(-(-int(np.prod(shape)) // 4))
    images = words.astype("<u4").view(np.uint8)[: int(np.prod(shape))].reshape(shape)
    return ArraySource(source, images, Stream(1, f"{NAME}/labels").integers(0, classes, COUNT).astype(np.int32))
