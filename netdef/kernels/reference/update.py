"""What a solver does to parameters: decay, the momentum step, and the sums behind clipping and debug output."""
from __future__ import annotations

import numpy as np

Array = np.ndarray

CHUNK = 1 << 15  # elements a partial sum; fixed, so that a sum does not depend on the number of threads


def sgd_update(w: Array, g: Array, history: Array, lr: float, momentum: float, decay: float = 0.0) -> None:
    """history = momentum * history + lr * (g + decay * w); w -= history (Caffe's SGD: the rate stands inside the momentum).

    One shape; g is only read.
    """
    real = w.dtype.type
    np.multiply(history, real(momentum), out=history)
    np.add(history, _decayed(w, g, decay) * real(lr), out=history)
    np.subtract(w, history, out=w)


def nesterov_update(w: Array, g: Array, history: Array, lr: float, momentum: float, decay: float = 0.0) -> None:
    """new = momentum * history + lr * (g + decay * w); w -= (1 + momentum) * new - momentum * history; history = new.

    One shape; g is only read.
    """
    real = w.dtype.type
    coasting = history * real(momentum)
    np.add(coasting, _decayed(w, g, decay) * real(lr), out=history)
    step = history * (real(1) + real(momentum))
    np.subtract(step, coasting, out=step)
    np.subtract(w, step, out=w)


def adam_update(w: Array, g: Array, m: Array, v: Array, rate: float, beta1: float, beta2: float, delta: float,
                decay: float = 0.0) -> None:
    """m and v = running means of d = g + decay * w and of d * d; w -= rate * m / (sqrt(v) + delta).

    One shape; g is only read. ``rate`` holds the correction for the first steps.
    """
    real = w.dtype.type
    gradient = _decayed(w, g, decay)
    for average, new, keep in ((m, gradient, beta1), (v, gradient * gradient, beta2)):
        np.multiply(average, real(keep), out=average)
        np.add(average, new * (real(1) - real(keep)), out=average)
    divisor = np.sqrt(v)
    np.add(divisor, real(delta), out=divisor)
    np.divide(m, divisor, out=divisor)
    np.multiply(divisor, real(rate), out=divisor)
    np.subtract(w, divisor, out=w)


def _decayed(w: Array, g: Array, decay: float) -> Array:
    """g + decay * w."""
    return g if decay == 0 else g + w * w.dtype.type(decay)


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
