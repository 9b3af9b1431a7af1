"""What layers that pool over regions of interest share: the shapes of their bottoms and the check of the regions. No types."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from netdef.errors import DataError
from netdef.layers.base import LayerSpec, Shape


def check_shapes(spec: LayerSpec, bottom_shapes: Sequence[Shape]) -> tuple[Shape, int]:
    """The shape of the features and the number of regions. Raises ShapeError."""
    features, rois = (tuple(s) for s in bottom_shapes)
    if len(features) != 4:
        raise spec.shape_error(f"expected features of 4 axes (N, C, H, W), got {features}", 0)
    if not rois or math.prod(rois[1:]) != 5:
        raise spec.shape_error(f"expected regions of shape (R, 5), got {rois}", 1,
                               hint="each is (item of the batch, x1, y1, x2, y2)")
    return features, rois[0]


def rows(spec: LayerSpec, rois: np.ndarray, items: int) -> np.ndarray:
    """The regions as (R, 5). Raises DataError unless each is of an item of the batch and has finite coordinates."""
    rois = rois.reshape(len(rois), 5)
    good = np.isfinite(rois).all(axis=1) & (rois[:, 0] >= 0) & (rois[:, 0] < items)
    if not good.all():
        r = int(np.argmin(good))
        got = ", ".join(f"{v:g}" for v in rois[r])
        raise DataError(f"{spec.who}: region {r} of '{spec.message.bottom[1]}': expected an item of the "
                        f"batch from 0 to {items - 1} and four finite coordinates, got ({got})",
                        where=spec.span("bottom", 1))
    return rois
