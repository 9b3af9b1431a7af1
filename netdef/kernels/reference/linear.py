"""Matrix products (NumPy's BLAS), biases and sums of vectors."""
from __future__ import annotations

import numpy as np

Array = np.ndarray


def gemm(a: Array, b: Array, out: Array, trans_a: bool = False, trans_b: bool = False, accumulate: bool = False) -> None:
    """out = op(a) @ op(b), or out += with ``accumulate``; op transposes where asked.

    op(a) is (M, K), op(b) (K, N), out (M, N); out must overlap neither. K = 0 gives zeros.
    """
    left, right = a.T if trans_a else a, b.T if trans_b else b
    if accumulate:
        out += left @ right
    else:
        np.matmul(left, right, out=out)


def bias_add(y: Array, bias: Array) -> None:
    """y[o, c, i] += bias[c]; y is (outer, channels, inner), bias (channels,)."""
    np.add(y, bias[:, None], out=y)


def bias_grad(dy: Array, db: Array) -> None:
    """db[c] += sum over o and i of dy[o, c, i]; dy is (outer, channels, inner). Sums in double precision."""
    db += dy.sum(axis=(0, 2), dtype=np.float64).astype(db.dtype)


def axpy(alpha: float, x: Array, y: Array) -> None:
    """y += alpha * x; one shape."""
    if alpha == 1:
        np.add(y, x, out=y)
    else:
        np.add(y, x * x.dtype.type(alpha), out=y)


def scale(alpha: float, x: Array, out: Array) -> None:
    """out = alpha * x; one shape; out may be x."""
    np.multiply(x, x.dtype.type(alpha), out=out)


def add(a: Array, b: Array, out: Array) -> None:
    """out = a + b; one shape; out may be a or b."""
    np.add(a, b, out=out)


def multiply(a: Array, b: Array, out: Array) -> None:
    """out = a * b element by element; one shape; out may be a or b."""
    np.multiply(a, b, out=out)
