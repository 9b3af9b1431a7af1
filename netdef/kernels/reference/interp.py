"""Images of another size by straight lines between their values, corners on corners.

Row i of n places between m values lies at i * (m - 1) / (n - 1) (at 0 for n = 1), a mean of its two neighbours by their distance.
The same for columns; so with a matrix R (n, m) for the rows and C for the columns, y = R x C^T and dx = R^T dy C.
"""
from __future__ import annotations

from functools import lru_cache

import numpy as np

Array = np.ndarray


@lru_cache(maxsize=128)
def places(size: int, wanted: int) -> tuple[Array, Array]:
    """For each of ``wanted`` places: the number of the value before it (int64), and the share of the one behind (float64)."""
    step = (size - 1) / (wanted - 1) if wanted > 1 else 0.0
    at = np.arange(wanted) * step
    first = np.minimum(at.astype(np.int64), size - 1)
    share = np.where(first < size - 1, at - first, 0.0)
    first.setflags(write=False)
    share.setflags(write=False)
    return first, share


def matrix(size: int, wanted: int, dtype: np.dtype) -> Array:
    """The places as a matrix (wanted, size)."""
    first, share = places(size, wanted)
    found = np.zeros((wanted, size))
    rows = np.arange(wanted)
    found[rows, first] = 1 - share
    found[rows, np.minimum(first + 1, size - 1)] += share
    return found.astype(dtype)


def interp_forward(x: Array, out: Array) -> None:
    """out (planes, rows, columns) from x (planes, height, width)."""
    rows, columns = (matrix(x.shape[k], out.shape[k], x.dtype) for k in (1, 2))
    np.matmul(rows @ x, columns.T, out=out)


def interp_backward(dy: Array, dx: Array) -> None:
    """dx = the gradient by x."""
    rows, columns = (matrix(dx.shape[k], dy.shape[k], dx.dtype) for k in (1, 2))
    np.matmul(rows.T @ dy, columns, out=dx)
