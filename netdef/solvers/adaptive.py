"""Rules with a rate of its own for every value: AdaGrad, RMSProp, AdaDelta, Adam, in Caffe's arithmetic; and AdamW.

``delta`` keeps the divisor from zero and is added outside the square root, except in AdaDelta.
"""
from __future__ import annotations

import math

import numpy as np

from netdef import kernels as K
from netdef.layers.constraints import Constraint, not_negative
from netdef.solvers.rules import Array, DecayingRule, Rule, rule

_FRACTION = Constraint(low=0, high=1, high_open=True)


def _blend(average: Array, new: Array, keep: float) -> None:
    """average = keep * average + (1 - keep) * new, in place."""
    real = average.dtype.type
    np.multiply(average, real(keep), out=average)
    np.add(average, new * (real(1) - real(keep)), out=average)


def _move(w: Array, direction: Array, divisor: Array, rate: float) -> None:
    """w -= rate * direction / divisor; ``divisor`` is used up."""
    np.divide(direction, divisor, out=divisor)
    np.multiply(divisor, w.dtype.type(rate), out=divisor)
    np.subtract(w, divisor, out=w)


def _root(squares: Array, delta: float) -> Array:
    """sqrt(squares) + delta, a new array."""
    root: Array = np.sqrt(squares)
    np.add(root, squares.dtype.type(delta), out=root)
    return root


@rule("AdaGrad")
class AdaGrad(Rule):
    """h += g^2;  w -= rate * g / (sqrt(h) + delta)."""

    momentum = False
    ranges = {"delta": not_negative()}

    def update(self, k: int, w: Array, g: Array, rate: float, iteration: int) -> None:
        """One step; ``history[k]`` is h."""
        h = self.history[k]
        np.add(h, g * g, out=h)
        _move(w, g, _root(h, self.p.delta), rate)


@rule("RMSProp")
class RMSProp(Rule):
    """h = rms_decay * h + (1 - rms_decay) * g^2;  w -= rate * g / (sqrt(h) + delta)."""

    momentum = False
    ranges = {"delta": not_negative(), "rms_decay": _FRACTION}

    def update(self, k: int, w: Array, g: Array, rate: float, iteration: int) -> None:
        """One step; ``history[k]`` is h."""
        h = self.history[k]
        _blend(h, g * g, self.p.rms_decay)
        _move(w, g, _root(h, self.p.delta), rate)


@rule("AdaDelta")
class AdaDelta(Rule):
    """h = m * h + (1 - m) * g^2;  u = g * sqrt((delta + s) / (delta + h));  s = m * s + (1 - m) * u^2;  w -= rate * u.

    m is `momentum`.
    """

    histories = 2
    ranges = {"delta": not_negative(), "momentum": _FRACTION}

    def update(self, k: int, w: Array, g: Array, rate: float, iteration: int) -> None:
        """One step; ``history[k]`` is h, ``history[count + k]`` is s."""
        real = w.dtype.type
        h, s, delta = self.history[k], self.history[self.count + k], real(self.p.delta)
        _blend(h, g * g, self.p.momentum)
        u = g * np.sqrt((delta + s) / (delta + h))
        _blend(s, u * u, self.p.momentum)
        np.multiply(u, real(rate), out=u)
        np.subtract(w, u, out=w)


@rule("Adam")
class Adam(DecayingRule):
    """m, v: running means of g and g^2;  w -= rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + delta), t from 1.

    b1 is `momentum` (0 unless given, as in Caffe), b2 is `momentum2`. Weight decay is part of g: this is not AdamW.
    """

    histories = 2
    ranges = {"delta": not_negative(), "momentum": _FRACTION, "momentum2": _FRACTION}

    def update(self, k: int, w: Array, g: Array, rate: float, iteration: int, decay: float = 0.0) -> None:
        """One step; ``history[k]`` is m, ``history[count + k]`` is v."""
        m, v = self.history[k], self.history[self.count + k]
        b1, b2, t = self.p.momentum, self.p.momentum2, iteration + 1
        correction = math.sqrt(1 - b2**t) / (1 - b1**t)
        K.adam_update(w, g, m, v, rate * correction, b1, b2, self.p.delta, decay)


@rule("AdamW")
class AdamW(Adam):
    """w -= rate * decay * w, then Adam's step by the gradient alone (Loshchilov and Hutter 2019). Not in Caffe.

    Adam divides a decay that is part of the gradient by sqrt(v) too, so that params with large gradients hardly decay;
    here all decay alike. With regularization_type L1: w -= rate * decay * sign(w).
    """

    decoupled = True
