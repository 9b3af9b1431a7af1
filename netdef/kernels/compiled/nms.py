"""Non-maximum suppression, groups in parallel: each candidate is compared with those that stay until one lies on it."""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled.boxes import area, overlap
from netdef.kernels.jit import kernel, prange

Array = np.ndarray


@kernel("f[2] j[1] j[1] d d b![1]")
def _nms(boxes, candidates, starts, threshold, eta, keep):
    for group in prange(starts.size - 1):
        first = starts[group]
        last = starts[group + 1]
        kept = np.empty((last - first, 4), np.float32)
        areas = np.empty(last - first, np.float32)
        count = 0
        limit = np.float32(threshold)
        for i in range(first, last):
            box = boxes[candidates[i]]
            own = area(box)
            stays = True
            for k in range(count):
                if not overlap(kept[k], areas[k], box, own) <= limit:
                    stays = False
                    break
            keep[i] = 1 if stays else 0
            if stays:
                for c in range(4):
                    kept[count, c] = box[c]
                areas[count] = own
                count += 1
                if eta < 1 and limit > 0.5:
                    limit *= np.float32(eta)


def nms(boxes: Array, candidates: Array, starts: Array, threshold: float, eta: float, keep: Array) -> None:
    """See the reference."""
    _nms(boxes, candidates, starts, threshold, eta, keep)
