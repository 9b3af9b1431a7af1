"""The true boxes of a picture, as arrays, and the rows that nets get of them."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ROW = 8
"""Numbers of a row: picture, class, number of the box, xmin, ymin, xmax, ymax, difficult."""


class Boxes(NamedTuple):
    """The true boxes of one picture."""

    label: np.ndarray
    """(B) int64, from 1 up"""
    number: np.ndarray
    """(B) int64: what tells the boxes of a picture (in SSD's databases, of a class in it) apart"""
    corners: np.ndarray
    """(B, 4) float64: xmin, ymin, xmax, ymax as shares of the picture's size"""
    difficult: np.ndarray
    """(B) bool"""

    def where(self, keep: np.ndarray) -> Boxes:
        """Those that ``keep`` (B) marks."""
        return Boxes(*(a[keep] for a in self))

    def flipped(self, axis: int) -> Boxes:
        """As seen in the picture mirrored from left to right (axis 0) or turned upside down (axis 1)."""
        corners = self.corners.copy()
        corners[:, [axis, axis + 2]] = 1 - corners[:, [axis + 2, axis]]
        return self._replace(corners=corners)


def truth(batch: Sequence[Boxes]) -> np.ndarray:
    """The rows of a batch, (1, 1, G, 8) float64; one row of -1 where no picture has a box."""
    rows = [np.column_stack((np.full(len(b.label), item), b.label, b.number, b.corners, b.difficult))
            for item, b in enumerate(batch)]
    found = np.concatenate(rows) if rows else np.empty((0, ROW))
    return (found if len(found) else np.full((1, ROW), -1.0))[None, None]
