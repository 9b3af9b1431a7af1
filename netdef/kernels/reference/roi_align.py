"""Means of bilinear samples on a grid over regions, with gradients to the features and to the regions' corners.

A region is (image, x1, y1, x2, y2) in the picture's pixels, scaled without rounding; ``aligned`` moves it by half a cell, so
that cell (i, j) has its middle at i, j. Without it a region is at least one cell wide. Each of P bins has g samples on a
side: ``ratio``, or where that is not above 0 one for each cell begun, ceil(length / P). Samples beyond a cell off the map
count 0, others are clamped into it.

Bilinear samples are products of a weight for the row and one for the column, so a region's output is A_y x A_x^T, where row p
of A holds the mean weights of bin p. That is how everything here is computed.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

Array = np.ndarray


class Grid(NamedTuple):
    """How far a region is laid out: factor on its coordinates, ``aligned``, samples on a bin's side (or 0)."""

    scale: float
    aligned: bool
    ratio: int


class Weights(NamedTuple):
    """One axis of each region: mean weights of each bin's cells, and their derivatives by start and end of the region."""

    mean: Array
    """(R, P, cells)"""
    by_start: Array
    by_end: Array


def align_weights(first: Array, last: Array, grid: Grid, pooled: int, size: int) -> Weights:
    """The weights of regions from ``first`` to ``last`` (R, in pixels) on an axis of ``size`` cells."""
    real = first.dtype.type
    scale, offset = real(grid.scale), real(0.5 if grid.aligned else 0)
    start, length = first * scale - offset, (last - first) * scale
    free = np.ones(len(first), bool) if grid.aligned else length >= 1  # whether the end moves anything
    length = np.where(free, length, real(1))
    count = np.full(len(first), grid.ratio) if grid.ratio > 0 else np.ceil(length / real(pooled)).astype(np.int64)
    found = Weights(*(np.zeros((len(first), pooled, size), first.dtype) for _ in range(3)))
    samples = np.maximum(count, 0)
    if size and samples.any():
        region = np.arange(len(first)).repeat(samples * pooled)
        number = np.arange(len(region)) - (np.cumsum(samples * pooled) - samples * pooled)[region]  # of the region's samples
        _add(found, region, number, samples[region], start[region], length[region], free[region], scale)
    return found


def _add(found: Weights, region: Array, number: Array, samples: Array, start: Array, length: Array, free: Array,
         scale: np.floating) -> None:
    """Add samples to the weights: of which region, which of its samples, how many a bin has, and where the region lies."""
    pooled, size = found.mean.shape[1:]
    real = found.mean.dtype.type
    share = (number + real(0.5)).astype(real) / (pooled * samples).astype(real)  # of the length
    at = start + share * length
    place = np.clip(at, 0, size - 1)
    low = place.astype(np.int64)
    part = place - low
    one = ((at >= -1) & (at <= size)) / samples.astype(real)
    moves = one * ((at > 0) & (at < size - 1)) * scale
    by_end = share * free
    left = (region * pooled + number // samples) * size + low
    right = left + (low < size - 1)
    for array, at_left, at_right in ((found.mean, one * (1 - part), one * part),
                                     (found.by_start, moves * (by_end - 1), moves * (1 - by_end)),
                                     (found.by_end, -moves * by_end, moves * by_end)):
        both = np.bincount(np.concatenate((left, right)), np.concatenate((at_left, at_right)), array.size)
        array[...] = both.reshape(array.shape)


def region_weights(rois: Array, grid: Grid, pooled: tuple[int, int], size: tuple[int, int]) -> tuple[Array, Weights, Weights]:
    """Images (R,), and the weights of rows and columns."""
    _, left, top, right, bottom = rois.T
    return (rois[:, 0].astype(np.int64), align_weights(top, bottom, grid, pooled[0], size[0]),
            align_weights(left, right, grid, pooled[1], size[1]))


def roi_align_forward(x: Array, rois: Array, scale: float, aligned: bool, ratio: int, out: Array) -> None:
    """out = the means of the bins' samples. x is (N, C, H, W), rois (R, 5), out (R, C, P, Q)."""
    image, rows, columns = region_weights(rois, Grid(scale, aligned, ratio), out.shape[2:], x.shape[2:])
    for r, n in enumerate(image):
        np.matmul(rows.mean[r], x[n] @ columns.mean[r].T, out=out[r])


def roi_align_backward(dy: Array, rois: Array, scale: float, aligned: bool, ratio: int, dx: Array) -> None:
    """dx = 0, then each region's dy (C, P, Q) is spread by the weights of the samples."""
    image, rows, columns = region_weights(rois, Grid(scale, aligned, ratio), dy.shape[2:], dx.shape[2:])
    dx[...] = 0
    for r, n in enumerate(image):
        dx[n] += rows.mean[r].T @ (dy[r] @ columns.mean[r])


def roi_align_corners(x: Array, dy: Array, rois: Array, scale: float, aligned: bool, ratio: int, drois: Array) -> None:
    """drois (R, 5) = the gradient by the corners; 0 for the image's number."""
    image, rows, columns = region_weights(rois, Grid(scale, aligned, ratio), dy.shape[2:], x.shape[2:])
    drois[...] = 0
    for r, n in enumerate(image):
        by_row = np.einsum("cpq,chq->ph", dy[r], x[n] @ columns.mean[r].T)
        by_column = np.einsum("cpq,cpw->qw", dy[r], rows.mean[r] @ x[n])
        drois[r, 1:] = [(by_column * columns.by_start[r]).sum(), (by_row * rows.by_start[r]).sum(),
                        (by_column * columns.by_end[r]).sum(), (by_row * rows.by_end[r]).sum()]
