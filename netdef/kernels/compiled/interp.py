"""Images of another size: two rows are blended into one, then its columns; planes in parallel. See the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import kernel, prange
from netdef.kernels.reference.interp import places

Array = np.ndarray


@kernel("f[3] i[1] f[1] i[1] f[1] f![3]")
def _interp(x, rows, down, columns, right, out):
    height, width = x.shape[1:]
    for p in prange(x.shape[0]):
        line = np.empty(width, np.float32)
        for i in range(rows.size):
            a, b, share = rows[i], min(rows[i] + 1, height - 1), down[i]
            for w in range(width):
                line[w] = (np.float32(1) - share) * x[p, a, w] + share * x[p, b, w]
            for j in range(columns.size):
                c = columns[j]
                d = min(c + 1, width - 1)
                out[p, i, j] = (np.float32(1) - right[j]) * line[c] + right[j] * line[d]


@kernel("f[3] i[1] f[1] i[1] f[1] f![3]")
def _interp_gradient(dy, rows, down, columns, right, dx):
    height, width = dx.shape[1:]
    for p in prange(dx.shape[0]):
        line = np.empty(width, np.float32)
        dx[p] = 0
        for i in range(rows.size):
            line[:] = 0
            for j in range(columns.size):
                c = columns[j]
                line[c] += (np.float32(1) - right[j]) * dy[p, i, j]
                line[min(c + 1, width - 1)] += right[j] * dy[p, i, j]
            a, b, share = rows[i], min(rows[i] + 1, height - 1), down[i]
            for w in range(width):
                dx[p, a, w] += (np.float32(1) - share) * line[w]
                dx[p, b, w] += share * line[w]


def _where(image: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[Array, ...]:
    (rows, down), (columns, right) = (places(n, m) for n, m in zip(image, wanted, strict=True))
    return rows, down.astype(np.float32), columns, right.astype(np.float32)


def interp_forward(x: Array, out: Array) -> None:
    """See the reference."""
    _interp(x, *_where(x.shape[1:], out.shape[1:]), out)


def interp_backward(dy: Array, dx: Array) -> None:
    """See the reference."""
    _interp_gradient(dy, *_where(dx.shape[1:], dy.shape[1:]), dx)
