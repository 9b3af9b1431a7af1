"""What a solver does to parameters: decay, the momentum step, and the sums behind clipping and debug output."""
from __future__ import annotations

import numpy as np

Array = np.ndarray

CHUNK = 1 << 15  # elements a partial sum; fixed, so that a sum does not depend on the number of threads


def sgd_update(w: Array, g: Array, history: Array, lr: float, momentum: float) -> None:
    """history = momentum * history + lr * g; w -= history (Caffe's SGD: the rate stands inside the momentum). One shape."""
    real = w.dtype.type
    np.multiply(history, real(momentum), out=history)
    np.add(history, g * real(lr), out=history)
    np.subtract(w, history, out=w)


def l2_decay(w: Array, decay: float, g: Array) -> None:
    """g += decay * w: the gradient of decay/2 * sum(w*w)."""
    np.add(g, w * w.dtype.type(decay), out=g)


def l1_decay(w: Array, decay: float, g: Array) -> None:
    """g += decay * sign(w): the gradient of decay * sum(|w|); sign(0) = 0."""
    np.add(g, np.sign(w) * w.dtype.type(decay), out=g)


def sum_squares(x: Array) -> float:
    """Sum of x*x in double precision, by chunks in index order."""
    flat = x.reshape(-1)
    return float(sum(np.square(c, dtype=np.float64).sum() for c in _chunks(flat)))


def sum_abs(x: Array) -> float:
    """Sum of |x| in double precision, by chunks in index order."""
    flat = x.reshape(-1)
    return float(sum(np.abs(c).sum(dtype=np.float64) for c in _chunks(flat)))


def _chunks(flat: Array) -> list[Array]:
    return [flat[i: i + CHUNK] for i in range(0, flat.size, CHUNK)]
