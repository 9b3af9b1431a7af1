"""Random crops of pictures with boxes, by the rules of SSD's batch samplers.

A crop is (xmin, ymin, xmax, ymax) in shares of the picture's size. Each sampler draws crops until it has found
``max_sample`` that fulfil its constraint, or has tried ``max_trials`` times; the picture gets one of all that were found, or
stays whole.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netdef import kernels as K
from netdef.data.boxes import Boxes
from netdef.errors import FieldError
from netdef.kernels.reference.boxes import box_areas
from netdef.rng import Stream

WHOLE = (0.0, 0.0, 1.0, 1.0)
CENTER = 0  # EmitConstraint.EmitType


def check_sampler(sampler: Any) -> None:
    """Raise FieldError where a BatchSampler message (of the schema) has limits that cannot be."""
    s = sampler.sampler
    if not 0 < s.min_scale <= s.max_scale <= 1:
        raise FieldError(f"expected 0 < min_scale <= max_scale <= 1, got {s.min_scale:g} and {s.max_scale:g}")
    if not 0 < s.min_aspect_ratio <= 1 <= s.max_aspect_ratio:
        raise FieldError("expected min_aspect_ratio above 0 and up to 1 and max_aspect_ratio from 1 up, got "
                         f"{s.min_aspect_ratio:g} and {s.max_aspect_ratio:g}")
    if not sampler.max_trials:
        raise FieldError("expected max_trials of at least 1, got 0")


def draw_crop(samplers: Sequence[Any], boxes: np.ndarray, stream: Stream) -> tuple[float, ...]:
    """One crop for a picture with these boxes (B, 4), by BatchSampler messages; the whole picture where none fits."""
    found: list[np.ndarray] = []
    for sampler in samplers:
        if not sampler.use_original_image:
            continue  # SSD draws nothing then
        crops = _crops(sampler, stream)
        fits = crops[_fulfils(sampler.sample_constraint, crops, boxes)]
        found += list(fits[: sampler.max_sample] if sampler.HasField("max_sample") else fits)
    return tuple(found[int(stream.integers(0, len(found)))].tolist()) if found else WHOLE


def _crops(sampler: Any, stream: Stream) -> np.ndarray:
    """(max_trials, 4)."""
    if not sampler.HasField("sampler"):
        return np.tile(WHOLE, (sampler.max_trials, 1))
    s = sampler.sampler
    scale, ratio, x, y = stream.uniform((sampler.max_trials, 4), "float64").T
    scale = s.min_scale + (s.max_scale - s.min_scale) * scale
    least, most = np.maximum(s.min_aspect_ratio, scale**2), np.minimum(s.max_aspect_ratio, scale**-2)
    root = np.sqrt(least + (most - least) * ratio)
    width, height = np.minimum(scale * root, 1), np.minimum(scale / root, 1)
    x, y = x * (1 - width), y * (1 - height)
    return np.stack((x, y, x + width, y + height), axis=1)


def _fulfils(constraint: Any, crops: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which crops (T, 4) fulfil a constraint with at least one box (B, 4), or have none to fulfil."""
    good = np.ones((len(crops), len(boxes)), bool)
    overlap = np.empty(good.shape)
    K.box_overlaps(crops, np.ascontiguousarray(boxes), overlap)
    areas = box_areas(crops)[:, None], box_areas(boxes)
    shared = overlap * (areas[0] + areas[1]) / (1 + overlap)  # overlap = shared / (sum - shared)
    limited = False
    for name, value in (("jaccard_overlap", overlap), ("sample_coverage", shared / areas[0]),
                        ("object_coverage", shared / areas[1])):
        low, high = f"min_{name}", f"max_{name}"
        if constraint.HasField(low):
            good &= value >= getattr(constraint, low)
        if constraint.HasField(high):
            good &= value <= getattr(constraint, high)
        limited |= constraint.HasField(low) or constraint.HasField(high)
    return np.asarray(good.any(axis=1)) if limited else np.ones(len(crops), bool)


def crop_boxes(boxes: Boxes, crop: Sequence[float], emit: Any = None) -> Boxes:
    """The boxes as seen in a crop, cut off at its edges; those that are kept as an EmitConstraint message says.

    Without ``emit`` every box counts of which something is inside, as in SSD.
    """
    low, size = np.array(crop[:2]), np.array(crop[2:]) - np.array(crop[:2])
    corners = (boxes.corners - np.tile(low, 2)) / np.tile(size, 2)
    inside = np.clip(corners, 0, 1)
    keep = box_areas(inside) > 0
    if emit is not None and emit.emit_type == CENTER:
        centre = (corners[:, :2] + corners[:, 2:]) / 2
        keep &= ((centre >= 0) & (centre <= 1)).all(axis=1)
    elif emit is not None:
        keep &= box_areas(inside) > emit.emit_overlap * box_areas(corners)
    return boxes._replace(corners=inside).where(keep)


def cut(picture: np.ndarray, crop: Sequence[float]) -> np.ndarray:
    """The part of a picture (H, W, C) that a crop covers, to whole pixels; at least one."""
    height, width = picture.shape[:2]
    left, top = min(int(crop[0] * width), width - 1), min(int(crop[1] * height), height - 1)
    right, bottom = max(int(crop[2] * width), left + 1), max(int(crop[3] * height), top + 1)
    return picture[top:bottom, left:right]
