"""Average pooling over regions with channels of their own: regions in parallel forward, channels backward. Rules: see the
reference.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import kernel, prange
from netdef.kernels.reference.psroi_pooling import psroi_bins

Array = np.ndarray


@kernel("f[4] i[1] i[3] i[3] f![4]")
def _psroi_pool(x, image, rows, columns, out):
    regions, outputs, group, _ = out.shape
    for task in prange(regions * outputs):
        r = task // outputs
        d = task % outputs
        for i in range(group):
            for j in range(group):
                plane = x[image[r], (d * group + i) * group + j]
                total = np.float32(0)
                for h in range(rows[r, i, 0], rows[r, i, 1]):
                    for w in range(columns[r, j, 0], columns[r, j, 1]):
                        total += plane[h, w]
                area = (rows[r, i, 1] - rows[r, i, 0]) * (columns[r, j, 1] - columns[r, j, 0])
                out[r, d, i, j] = total / np.float32(max(area, 1))


@kernel("f[4] i[1] i[3] i[3] f![4]")
def _psroi_pool_gradient(dy, image, rows, columns, dx):
    images, channels = dx.shape[:2]
    group = dy.shape[2]
    for c in prange(channels):
        j = c % group
        i = c // group % group
        for n in range(images):
            dx[n, c] = 0
        for r in range(dy.shape[0]):
            area = (rows[r, i, 1] - rows[r, i, 0]) * (columns[r, j, 1] - columns[r, j, 0])
            share = dy[r, c // (group * group), i, j] / np.float32(max(area, 1))
            plane = dx[image[r], c]
            for h in range(rows[r, i, 0], rows[r, i, 1]):
                for w in range(columns[r, j, 0], columns[r, j, 1]):
                    plane[h, w] += share


def psroi_pool_forward(x: Array, rois: Array, spatial_scale: float, out: Array) -> None:
    """See the reference."""
    _psroi_pool(x, *psroi_bins(rois, spatial_scale, out.shape[2], x.shape[2:]), out)


def psroi_pool_backward(dy: Array, rois: Array, spatial_scale: float, dx: Array) -> None:
    """See the reference."""
    _psroi_pool_gradient(dy, *psroi_bins(rois, spatial_scale, dy.shape[2], dx.shape[2:]), dx)
