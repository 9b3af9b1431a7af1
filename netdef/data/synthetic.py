"""Small problems made by rule: the same numbers on every machine, for tutorials and tests.

Each maker returns records (N, C, 1, 1) float32 and labels: (N,) int32 class numbers or (N, K) float32 targets.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from netdef.rng import Stream

Arrays = tuple[np.ndarray, np.ndarray]

# Segments a b c d e f g of a seven-segment display (a on top, then clockwise, g in the middle) for each digit.
_SEGMENTS = [
    "1111110", "0110000", "1101101", "1111001", "0110011", "1011011", "1011111", "1110000", "1111111", "1111011",
]  # fmt: skip


class Maker(NamedTuple):
    """How a problem is made (from the split's name), and whether it has the splits train and test."""

    make: Callable[[str], Arrays]
    splits: bool


def xor(split: str) -> Arrays:
    """The four points of exclusive or: records (2, 1, 1) of 0 and 1, label 1 where exactly one of them is 1."""
    points = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    return _records(points), np.array([0, 1, 1, 0], np.int32)


def circles(split: str) -> Arrays:
    """Two rings around the origin: records (2, 1, 1), label 0 on the inner ring (radius 0.5), 1 on the outer (1.0).

    Radii are normal with standard deviation 0.08. 800 train, 200 test records.
    """
    count, draw = _split(split, "circles", 800, 200)
    angle = 2 * np.pi * draw.uniform((count,), "float64")
    labels = np.arange(count) % 2
    radius = 0.5 + 0.5 * labels + 0.08 * draw.normal((count,), "float64")
    return _records(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)), labels.astype(np.int32)


def spiral(split: str) -> Arrays:
    """Three arms that wind out from the origin: records (2, 1, 1) within about 1.1 of it, label 0, 1 or 2 by arm.

    Each arm turns 4 radians; angles are normal around it with standard deviation 0.15. 900 train, 300 test records.
    """
    count, draw = _split(split, "spiral", 900, 300)
    labels = np.arange(count) % 3
    radius = 0.05 + 0.95 * draw.uniform((count,), "float64")
    angle = 2 * np.pi / 3 * labels + 4 * radius + 0.15 * draw.normal((count,), "float64")
    return _records(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)), labels.astype(np.int32)


def total(split: str) -> Arrays:
    """Two numbers and their sum: records (2, 1, 1) uniform in -1 to 1, target (1,). 1000 train, 200 test records."""
    count, draw = _split(split, "sum", 1000, 200)
    numbers = (2 * draw.uniform((count, 2), "float64") - 1).astype(np.float32)
    return _records(numbers), numbers.sum(1, keepdims=True)


def bcd7seg(split: str) -> Arrays:
    """A decoder for a seven-segment display: records (4, 1, 1) are the bits of 0 to 9, highest first; target (7,) says
    which of the segments a to g are lit (1) or dark (0). Ten records."""
    bits = np.array([[digit >> place & 1 for place in (3, 2, 1, 0)] for digit in range(10)], np.float32)
    return _records(bits), np.array([[int(lit) for lit in row] for row in _SEGMENTS], np.float32)


MAKERS = {
    "xor": Maker(xor, False),
    "circles": Maker(circles, True),
    "spiral": Maker(spiral, True),
    "sum": Maker(total, True),
    "bcd7seg": Maker(bcd7seg, False),
}


def _split(split: str, name: str, train: int, test: int) -> tuple[int, Stream]:
    """The number of records of a split and the stream that they are drawn from."""
    return (train if split == "train" else test), Stream(1, f"{name}/{split}")


def _records(points: np.ndarray) -> np.ndarray:
    """(N, C) -> (N, C, 1, 1) float32."""
    return np.ascontiguousarray(points, np.float32)[:, :, None, None]
