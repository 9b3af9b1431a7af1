"""ROI alignment: regions in parallel forward and for the corners, channels for the features. Rules: see the reference.

The weights of rows and columns are made by the reference, in float32; here the products run over the cells that a bin touches.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import kernel, prange
from netdef.kernels.reference.roi_align import Grid, region_weights

Array = np.ndarray


@kernel("f[4] i[1] f[3] i[3] f[3] i[3] f![4]")
def _align(x, image, rows, row_span, columns, column_span, out):
    regions, channels, pooled_h, pooled_w = out.shape
    for task in prange(regions * channels):
        r = task // channels
        c = task % channels
        plane = x[image[r], c]
        for p in range(pooled_h):
            for q in range(pooled_w):
                total = np.float32(0)
                for h in range(row_span[r, p, 0], row_span[r, p, 1]):
                    line = np.float32(0)
                    for w in range(column_span[r, q, 0], column_span[r, q, 1]):
                        line += plane[h, w] * columns[r, q, w]
                    total += rows[r, p, h] * line
                out[r, c, p, q] = total


@kernel("f[4] i[1] f[3] i[3] f[3] i[3] f![4]")
def _align_gradient(dy, image, rows, row_span, columns, column_span, dx):
    images, channels = dx.shape[:2]
    for c in prange(channels):
        for n in range(images):
            dx[n, c] = 0
        for r in range(dy.shape[0]):
            plane = dx[image[r], c]
            for p in range(dy.shape[2]):
                for q in range(dy.shape[3]):
                    for h in range(row_span[r, p, 0], row_span[r, p, 1]):
                        part = dy[r, c, p, q] * rows[r, p, h]
                        for w in range(column_span[r, q, 0], column_span[r, q, 1]):
                            plane[h, w] += part * columns[r, q, w]


@kernel("f[4] f[4] i[1] f[4] i[3] f[4] i[3] f![2]")
def _align_corners(x, dy, image, rows, row_span, columns, column_span, drois):
    channels, pooled_h, pooled_w = dy.shape[1:]
    for r in prange(len(drois)):
        sums = np.zeros(4, np.float64)
        for c in range(channels):
            plane = x[image[r], c]
            for p in range(pooled_h):
                for q in range(pooled_w):
                    left = np.float32(0)
                    top = np.float32(0)
                    right = np.float32(0)
                    bottom = np.float32(0)
                    for h in range(row_span[r, p, 0], row_span[r, p, 1]):
                        line = np.float32(0)
                        by_start = np.float32(0)
                        by_end = np.float32(0)
                        for w in range(column_span[r, q, 0], column_span[r, q, 1]):
                            line += plane[h, w] * columns[0, r, q, w]
                            by_start += plane[h, w] * columns[1, r, q, w]
                            by_end += plane[h, w] * columns[2, r, q, w]
                        left += rows[0, r, p, h] * by_start
                        top += rows[1, r, p, h] * line
                        right += rows[0, r, p, h] * by_end
                        bottom += rows[2, r, p, h] * line
                    sums[0] += dy[r, c, p, q] * left
                    sums[1] += dy[r, c, p, q] * top
                    sums[2] += dy[r, c, p, q] * right
                    sums[3] += dy[r, c, p, q] * bottom
        drois[r, 0] = 0
        for k in range(4):
            drois[r, k + 1] = sums[k]


def _spans(weights: Array) -> Array:
    """Where the cells of each bin begin and end (R, P, 2), of weights (R, P, cells)."""
    touched = weights != 0
    some = touched.any(axis=2)
    first = np.where(some, touched.argmax(axis=2), 0)
    last = np.where(some, weights.shape[2] - touched[:, :, ::-1].argmax(axis=2), 0)
    return np.stack([first, last], axis=2).astype(np.int64)


def roi_align_forward(x: Array, rois: Array, scale: float, aligned: bool, ratio: int, out: Array) -> None:
    """See the reference."""
    image, rows, columns = region_weights(rois, Grid(scale, aligned, ratio), out.shape[2:], x.shape[2:])
    _align(x, image, rows.mean, _spans(rows.mean), columns.mean, _spans(columns.mean), out)


def roi_align_backward(dy: Array, rois: Array, scale: float, aligned: bool, ratio: int, dx: Array) -> None:
    """See the reference."""
    image, rows, columns = region_weights(rois, Grid(scale, aligned, ratio), dy.shape[2:], dx.shape[2:])
    _align_gradient(dy, image, rows.mean, _spans(rows.mean), columns.mean, _spans(columns.mean), dx)


def roi_align_corners(x: Array, dy: Array, rois: Array, scale: float, aligned: bool, ratio: int, drois: Array) -> None:
    """See the reference."""
    image, rows, columns = region_weights(rois, Grid(scale, aligned, ratio), dy.shape[2:], x.shape[2:])
    row_span, column_span = (_spans(sum(np.abs(part) for part in w)) for w in (rows, columns))
    _align_corners(x, dy, image, np.stack(rows), row_span, np.stack(columns), column_span, drois)
