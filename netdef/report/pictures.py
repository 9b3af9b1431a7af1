"""Small pictures of activations and filters: bytes in base64, which the page paints on a canvas.

A picture is ``{"width", "height", "planes", "total", "kind", "bytes", "reach"}``: ``planes`` of ``total`` are shown, each of
height times width bytes. Kind "grey": a plane's smallest value is 0, its largest 254. "signed": 127 is 0, and 0 and 254 are
``-reach`` and ``reach``, the largest magnitude of all planes. "colour": three bytes a pixel (blue, green, red, as Caffe
orders them) between the smallest and the largest value of a filter. 255 stands for a value that is not finite ("grey", "signed").
"""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from netdef.report.numbers import Plain, encoded, number

BUDGET = 1_800_000  # bytes of all pictures of a page, before base64
MOST_PLANES, FEWEST_PLANES = 8, 4
MOST_SIDE, SMALLEST_SIDE = 32, 8
MOST_FILTERS = 24
BAD = 255


@dataclass(frozen=True)
class Size:
    """How many planes a picture may have, and how many pixels along a side."""

    planes: int = MOST_PLANES
    side: int = MOST_SIDE

    @property
    def bytes(self) -> int:
        """What a picture may take."""
        return self.planes * self.side * self.side


def size_for(pictures: int) -> Size:
    """The size that lets so many pictures stay within the budget."""
    each = BUDGET / max(pictures, 1)
    planes = MOST_PLANES if each >= MOST_PLANES * 24 * 24 else FEWEST_PLANES
    return Size(planes, int(min(MOST_SIDE, max(SMALLEST_SIDE, math.sqrt(each / planes)))))


def activations(data: np.ndarray, size: Size) -> Plain | None:
    """The first channels of the first item of a top (N,C,H,W) or (N,C,H...); None where it has no height and width."""
    if data.ndim < 4 or data.size == 0 or min(data.shape[-2:]) < 2:
        return None
    planes = data[0].reshape(-1, *data.shape[-2:])
    shown = _thinned(planes[: size.planes], size.side).astype(np.float64)
    finite = np.isfinite(shown)
    low = np.where(finite, shown, np.inf).min(axis=(1, 2), keepdims=True)
    high = np.where(finite, shown, -np.inf).max(axis=(1, 2), keepdims=True)
    return _picture(shown, len(planes), "grey", _levels(shown, low, high))


def filters(weight: np.ndarray, size: Size) -> Plain | None:
    """The first filters of a convolution's weight (O,I,KH,KW); None where they are single points.

    Filters over three channels are shown in colour, others by their first channels, signed.
    """
    if weight.ndim != 4 or weight.size == 0 or max(weight.shape[2:]) < 2:
        return None
    shown = _thinned(weight, size.side)
    area = shown.shape[2] * shown.shape[3]
    if weight.shape[1] == 3:
        some = shown[: max(1, min(MOST_FILTERS, size.bytes // (3 * area)))].astype(np.float64)
        low, high = some.min(axis=(1, 2, 3), keepdims=True), some.max(axis=(1, 2, 3), keepdims=True)
        if np.isfinite(some).all():
            return _picture(some[:, 0], len(weight), "colour", _levels(some, low, high).transpose(0, 2, 3, 1))
    return _signed(shown.reshape(-1, *shown.shape[2:]), max(1, min(MOST_FILTERS, size.bytes // area)))


def _signed(planes: np.ndarray, most: int) -> Plain:
    """Planes around 0, all on one scale."""
    some = planes[:most].astype(np.float64)
    reach = float(np.where(np.isfinite(some), np.abs(some), 0).max()) or 1.0
    return _picture(some, len(planes), "signed", _levels(some, -reach, reach)) | {"reach": number(reach)}


def _thinned(planes: np.ndarray, side: int) -> np.ndarray:
    """Every k-th row and column, so that the last two axes are no longer than ``side``."""
    rows, columns = (-(-n // side) for n in planes.shape[-2:])
    return planes[..., ::rows, ::columns]


def _levels(values: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """0 to 254 between ``low`` and ``high``, the middle where they are equal; BAD where a value is not finite."""
    with np.errstate(all="ignore"):
        span = np.subtract(high, low)
        share = np.where(span > 0, (values - low) / span, 0.5)
    return np.where(np.isfinite(values), np.rint(254 * np.clip(np.nan_to_num(share), 0, 1)), BAD)


def _picture(shown: np.ndarray, total: int, kind: str, levels: np.ndarray) -> Plain:
    count, height, width = shown.shape
    return {"planes": count, "total": total, "height": height, "width": width, "kind": kind, "bytes": encoded(levels)}
