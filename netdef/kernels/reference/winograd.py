"""Winograd convolution in plain NumPy: the three passes as products with the matrices of ``winograd_matrices.py``.

For teaching and as the twin of the compiled kernels; it computes in the dtype of its arguments. Stride and dilation are 1.
x is (N, C, H, W), w (filters, C / group, r, r), out and dy (N, filters, H + 2 * pad - r + 1, ...). The image is cut into
tiles of a x a inputs, a = m + r - 1, that lie m apart and give m x m outputs each.

==================  ==========================================================================================
forward             out = A^T (U . V) A for U = B^T x B of every tile and V = G w G^T; the product at each of the a x a
                    points is a matrix product over the channels
backward_data       a forward pass of dy by the flipped weights, with channels and filters exchanged
backward_weights    the forward pass read backwards: dw = G^T (sum over tiles of U . Q) G for Q = A dy A^T
==================  ==========================================================================================
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.winograd_matrices import matrices

Array = np.ndarray
Sizes = tuple[int, ...]


def forward(x: Array, w: Array, bias: Array | None, m: int, pad: Sizes, group: int) -> Array:
    """The convolution of x by w in tiles of m x m outputs, plus bias."""
    r = w.shape[2]
    _, to_weights, to_outputs = (each.astype(x.dtype) for each in matrices(m, r))
    out = tuple(size + 2 * p - r + 1 for size, p in zip(x.shape[2:], pad, strict=True))
    filters = _grouped(np.einsum("ip,kcpq,jq->ijkc", to_weights, w, to_weights), 2, group)
    points = _grouped(_input_points(x, m, r, pad, out), 5, group)
    products = np.einsum("ijgkc,ntuijgc->gkntuij", filters, points)
    tiles = np.einsum("yi,gkntuij,xj->ngktyux", to_outputs, products, to_outputs)
    down, across = points.shape[1:3]
    whole = tiles.reshape(x.shape[0], w.shape[0], down * m, across * m)[:, :, :out[0], :out[1]]
    return whole if bias is None else whole + bias[:, None, None]


def backward_data(dy: Array, w: Array, m: int, pad: Sizes, group: int) -> Array:
    """The gradient by x."""
    filters, channels, r, _ = w.shape
    turned = w.reshape(group, filters // group, channels, r, r).swapaxes(1, 2)[..., ::-1, ::-1]
    swapped = turned.reshape(group * channels, filters // group, r, r)
    return forward(dy, swapped, None, m, tuple(r - 1 - p for p in pad), group)


def backward_weights(x: Array, dy: Array, m: int, r: int, pad: Sizes, group: int) -> Array:
    """The gradient by w."""
    _, to_weights, to_outputs = (each.astype(x.dtype) for each in matrices(m, r))
    points = _grouped(_input_points(x, m, r, pad, dy.shape[2:]), 5, group)
    down, across = points.shape[1:3]
    rest = (down * m - dy.shape[2], across * m - dy.shape[3])
    tiles = np.pad(dy, ((0, 0), (0, 0), (0, rest[0]), (0, rest[1]))).reshape(*dy.shape[:2], down, m, across, m)
    gradients = _grouped(np.einsum("yi,nktyux,xj->ntuijk", to_outputs, tiles, to_outputs), 5, group)
    products = np.einsum("ntuijgk,ntuijgc->gkcij", gradients, points)
    return np.einsum("ip,gkcij,jq->gkcpq", to_weights, products, to_weights).reshape(dy.shape[1], -1, r, r)


def _input_points(x: Array, m: int, r: int, pad: Sizes, out: Sizes) -> Array:
    """B^T d B of every tile: (N, tiles down, tiles across, a, a, C). A negative pad cuts the image."""
    a = m + r - 1
    to_points = matrices(m, r).inputs.astype(x.dtype)
    down, across = (-(-size // m) for size in out)
    padded = np.zeros((*x.shape[:2], down * m + r - 1, across * m + r - 1), x.dtype)
    places, parts = [], []
    for size, room, p in zip(x.shape[2:], padded.shape[2:], pad, strict=True):
        places.append(slice(max(0, p), min(room, p + size)))
        parts.append(slice(max(0, -p), min(size, room - p)))
    padded[:, :, places[0], places[1]] = x[:, :, parts[0], parts[1]]
    tiles = np.lib.stride_tricks.sliding_window_view(padded, (a, a), axis=(2, 3))[:, :, ::m, ::m]
    return np.einsum("ip,nctupq,jq->ntuijc", to_points, tiles, to_points)


def _grouped(array: Array, axis: int, group: int) -> Array:
    """The axis cut into (group, size / group)."""
    if group == 1:
        return np.expand_dims(array, axis)
    shape = (*array.shape[:axis], group, array.shape[axis] // group, *array.shape[axis + 1:])
    return array.reshape(shape)
