"""Max pooling over regions of interest: regions in parallel forward, channels backward. Rules and shapes: see the
reference.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import kernel, prange
from netdef.kernels.reference.pooling import LOWEST as _LOWEST
from netdef.kernels.reference.roi_pooling import roi_bins

Array = np.ndarray

LOWEST = np.float32(_LOWEST)


@kernel("f[4] i[1] i[3] i[3] f![4] j![4]")
def _roi_pool(x, image, rows, columns, out, mask):
    regions, channels, pooled_h, pooled_w = out.shape
    width = x.shape[3]
    for task in prange(regions * channels):
        r = task // channels
        c = task % channels
        plane = x[image[r], c]
        for ph in range(pooled_h):
            top = rows[r, ph, 0]
            bottom = rows[r, ph, 1]
            for pw in range(pooled_w):
                left = columns[r, pw, 0]
                right = columns[r, pw, 1]
                best = LOWEST if bottom > top and right > left else np.float32(0)
                at = -1
                for h in range(top, bottom):
                    for w in range(left, right):
                        v = plane[h, w]
                        better = v > best
                        best = v if better else best
                        at = h * width + w if better else at
                out[r, c, ph, pw] = best
                mask[r, c, ph, pw] = at


@kernel("f[3] j[3] i[1] f![3]")
def _roi_pool_gradient(dy, mask, image, dx):
    images, channels, _ = dx.shape
    for c in prange(channels):
        for n in range(images):
            dx[n, c] = 0
        for r in range(dy.shape[0]):
            to = dx[image[r], c]
            for i in range(dy.shape[2]):
                at = mask[r, c, i]
                if at >= 0:
                    to[at] += dy[r, c, i]


def roi_pool_forward(x: Array, rois: Array, spatial_scale: float, out: Array, mask: Array) -> None:
    """See the reference."""
    bins = roi_bins(rois, spatial_scale, out.shape[2:], x.shape[2:])
    _roi_pool(x, *bins, out, mask)


def roi_pool_backward(dy: Array, mask: Array, rois: Array, dx: Array) -> None:
    """See the reference."""
    dy, mask, dx = (a.reshape(*a.shape[:2], a.shape[2] * a.shape[3]) for a in (dy, mask, dx))
    _roi_pool_gradient(dy, mask, rois[:, 0].astype(np.int64), dx)
