"""Non-maximum suppression: of boxes that lie on each other, keep the best one."""
from __future__ import annotations

import numpy as np

from netdef.kernels.reference.boxes import box_overlaps

Array = np.ndarray


def nms(boxes: Array, candidates: Array, starts: Array, threshold: float, eta: float, keep: Array) -> None:
    """keep = which candidates stay: those whose overlap with every better one that stays is at most ``threshold``.

    boxes is (B, 4); candidates (M), int32, are rows of boxes in groups, best first in each; group g goes from starts[g]
    to starts[g + 1] (int32, one more than there are groups). Groups do not see each other. After each box that stays, a
    threshold above 0.5 is multiplied by ``eta``. keep is (M), uint8.
    """
    keep[...] = 0
    for first, last in zip(starts[:-1], starts[1:], strict=True):
        group = boxes[candidates[first:last]]
        worst = np.zeros(len(group), boxes.dtype)  # the largest overlap with a box that stays
        overlap = np.empty((1, len(group)), boxes.dtype)
        limit = boxes.dtype.type(threshold)
        for i in range(len(group)):
            if not worst[i] <= limit:
                continue
            keep[first + i] = 1
            box_overlaps(group[i: i + 1], group[i + 1:], overlap[:, i + 1:])
            np.maximum(worst[i + 1:], overlap[0, i + 1:], out=worst[i + 1:])
            if eta < 1 and limit > 0.5:
                limit *= boxes.dtype.type(eta)
