"""Softmax over the middle axis of (outer, classes, inner), and the multinomial logistic loss on its result."""
from __future__ import annotations

import numpy as np

Array = np.ndarray

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)  # Caffe's FLT_MIN: -log of it is 87.3365, the largest loss


def softmax_forward(x: Array, out: Array) -> None:
    """out = exp(x - max) / sum(exp(x - max)) over axis 1 of (outer, classes, inner); out may be x."""
    if x.size == 0:
        return
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, as it should be
        np.subtract(x, x.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    np.divide(out, out.sum(axis=1, keepdims=True), out=out)


def softmax_backward(y: Array, dy: Array, dx: Array) -> None:
    """dx = y * (dy - sum(dy * y)) over axis 1 of (outer, classes, inner); dx may be dy."""
    np.subtract(dy, (dy * y).sum(axis=1, keepdims=True), out=dx)
    np.multiply(dx, y, out=dx)


def softmax_loss_forward(prob: Array, label: Array, ignore: int | None) -> tuple[float, int, int]:
    """(sum of -log max(p[label], FLT_MIN), how many labels counted, flat index of the first bad label or -1).

    prob is (outer, classes, inner), label (outer, inner) of any real dtype, truncated to int as Caffe does. Labels equal to
    ``ignore`` do not count; a label that is no class is bad, and is left out of the sum.
    """
    wanted, counts, bad = _read_labels(label, ignore, prob.shape[1])
    picked = np.take_along_axis(prob, wanted[:, None, :], axis=1)[:, 0, :] if prob.size else np.empty(label.shape)
    losses = -np.log(np.maximum(picked[counts].astype(np.float64), SMALLEST_NORMAL))
    return float(losses.sum()), int(counts.sum()), int(np.argmax(bad)) if bad.any() else -1


def softmax_loss_backward(prob: Array, label: Array, ignore: int | None, scale: float, dx: Array) -> None:
    """dx = scale * (prob - onehot(label)), zero over all classes where the label is ignored or bad; dx may be prob.

    Shapes as in ``softmax_loss_forward``; ``scale`` is the loss weight over the normaliser.
    """
    wanted, counts, _ = _read_labels(label, ignore, prob.shape[1])
    if prob.size == 0:
        return
    factor = prob.dtype.type(scale)
    at = wanted[:, None, :]
    own = np.take_along_axis(prob, at, axis=1) - 1
    np.multiply(prob, factor, out=dx)
    np.put_along_axis(dx, at, own * factor, axis=1)
    np.copyto(dx, 0, where=~counts[:, None, :])


def _read_labels(label: Array, ignore: int | None, classes: int) -> tuple[Array, Array, Array]:
    """Labels as int with 0 in place of those that do not count; which count; which are bad."""
    with np.errstate(invalid="ignore"):  # a NaN becomes some integer; it is caught as bad below
        whole = label.astype(np.int64)
    ignored = np.zeros(label.shape, bool) if ignore is None else whole == ignore
    inside = (whole >= 0) & (whole < classes) & (label == label)
    counts = inside & ~ignored
    return np.where(counts, whole, 0), counts, ~inside & ~ignored
