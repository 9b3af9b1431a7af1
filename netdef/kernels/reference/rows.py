"""Rows of an array picked by number, and added back."""
from __future__ import annotations

import numpy as np

Array = np.ndarray


def take_rows(x: Array, index: Array, out: Array) -> None:
    """out[j] = x[index[j]]; x (N, ...), index (M,) whole numbers in 0 .. N - 1 (not checked), out (M, ...)."""
    if index.size:
        np.take(x, index, axis=0, out=out, mode="clip")  # clip: the only mode that writes straight into out


def add_rows(rows: Array, index: Array, out: Array) -> None:
    """out[index[j]] += rows[j], in the order of j; rows (M, ...), index (M,) in 0 .. N - 1 (not checked), out (N, ...)."""
    if not rows.size:
        return
    order = np.argsort(index, kind="stable")
    picked = index[order]
    starts = np.flatnonzero(np.concatenate(([True], picked[1:] != picked[:-1])))
    out[picked[starts]] += np.add.reduceat(rows[order], starts, axis=0)
