"""The inverse of each layer type: from a wanted top to a bottom that gives it. ``TABLE`` says which there are.

To add one: a function decorated with ``@inverse``, which takes a ``Wanted`` and returns the bottom's values, and a case in
tests/probe/test_inverses.py.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from netdef.blob import Blob
from netdef.errors import NetdefError
from netdef.graph.model import LayerNode
from netdef.layers.base import Shape
from netdef.layers.pooling import AVE
from netdef.probe.alone import Alone
from netdef.probe.linear import LeastSquares, cgls

BY_GRADIENT = "a search by gradient needs no inverse: --method gradient"
DENSE_MOST = 4_000_000  # values of a matrix that a convolution is written out as
_ROUNDING = 1e-9  # how far outside a closed range a value may be and count as its end


class NoInverse(NetdefError):
    """A layer whose type, options or params allow no inverse."""


class OutOfRange(NetdefError):
    """A wanted value that a layer gives for no input."""


@dataclass
class Wanted:
    """One layer to undo: its node and params, the wanted top ``y``, float64, and the bottom's shape, batch included.

    ``low`` and ``high`` are limits of what can stand below, used where there is a choice; ``clip`` is how far inside an open
    range wanted values are moved that lie outside, 0 for an error; ``constant`` is the mean of the scores that a Softmax is
    undone to. ``how`` is filled in for people: how it was undone.
    """

    node: LayerNode
    params: list[Blob]
    y: np.ndarray
    shape: Shape
    low: np.ndarray | float = -math.inf
    high: np.ndarray | float = math.inf
    clip: float = 0.0
    constant: float = 0.0
    how: str = ""

    def inside(self, low: float, high: float, closed: bool = False) -> np.ndarray:
        """``y`` within (low, high), or [low, high]. Raises OutOfRange, unless ``clip`` says to take the nearest."""
        y, slack = self.y, _ROUNDING * max(1.0, float(np.abs(self.y).max(initial=0)))
        bad = (y < low - slack) | (y > high + slack) if closed else (y <= low) | (y >= high)
        bad |= ~np.isfinite(y)
        if bad.any() and not self.clip:
            at = np.unravel_index(int(np.argmax(bad)), y.shape)
            ends = f"[{low:g}, {high:g}]" if closed else f"({low:g}, {high:g})"
            raise OutOfRange(f"{self.node.who}: expected wanted values within {ends}, got {y[at]:g} at "
                             f"{tuple(int(i) for i in at[1:])}"
                             + (f", and {int(bad.sum()) - 1} more of {y.size} outside" if bad.sum() > 1 else ""),
                             where=self.node.located.span,
                             hint=f"no input gives that; --clip 0.001 takes the nearest values that it can; {BY_GRADIENT}")
        margin = 0.0 if closed else self.clip * (high - low if math.isfinite(high - low) else 1.0)
        if bad.any():
            self.how += f", {int(bad.sum())} clipped"
        return np.clip(np.nan_to_num(y), low + margin, high - margin)

    def refuse(self, why: str) -> NoInverse:
        """The error for a layer that cannot be undone."""
        return NoInverse(f"{self.node.who}: has no inverse: {why}", where=self.node.located.span, hint=BY_GRADIENT)

    @property
    def o(self) -> Any:
        """The layer's options."""
        return self.node.spec.options


Inverse = Callable[[Wanted], np.ndarray]
TABLE: dict[str, tuple[Inverse, str]] = {}


def inverse(*types: str, how: str) -> Callable[[Inverse], Inverse]:
    """Decorator: the inverse of these layer types; ``how`` says for tables what it does."""
    def add(function: Inverse) -> Inverse:
        TABLE.update({t: (function, how) for t in types})
        return function
    return add


REASONS = {
    "Pooling": "MAX and STOCHASTIC keep one value of a window and hide the others",
    "LRN": "it divides by its neighbours, and has no closed inverse",
    "MVN": "mean and variance are lost", "Normalize": "the length is lost", "LayerNorm": "mean and variance are lost",
    "GroupNorm": "mean and variance are lost", "Swish": "two inputs give one value", "Mish": "two inputs give one value",
    "HSwish": "two inputs give one value", "Threshold": "all values on one side give one value",
    "ArgMax": "only a place is left of the values",
}


def undo(wanted: Wanted) -> np.ndarray:
    """The bottom (``wanted.shape``), float64. Raises NoInverse, OutOfRange."""
    found = TABLE.get(wanted.node.type)
    if found is None:
        raise wanted.refuse(REASONS.get(wanted.node.type, "none is known for this type"))
    wanted.how = found[1]
    return np.asarray(found[0](wanted), np.float64).reshape(wanted.shape)


def output_range(node: LayerNode) -> tuple[float, float]:
    """Between which values the tops of a layer lie, whatever goes in."""
    o = node.spec.options
    if node.type == "ReLU":
        return (0.0, math.inf) if o.negative_slope == 0 else (-math.inf, math.inf)
    if node.type in ("ScaledTanH", "SymmetricSigmoid"):
        return _tanh_options(node)[0] * -1, _tanh_options(node)[0]
    if node.type == "Clip":
        return o.min, o.max
    if node.type == "ELU":
        return (-o.alpha, math.inf) if o.alpha > 0 else (0.0, math.inf)
    fixed = {"Sigmoid": (0.0, 1.0), "TanH": (-1.0, 1.0), "HardSigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0),
             "AbsVal": (0.0, math.inf), "Exp": (0.0, math.inf), "BNLL": (0.0, math.inf)}
    return fixed.get(node.type, (-math.inf, math.inf))


# layers that change nothing, or only the order -------------------------------------------------------------------

@inverse("Flatten", "Reshape", "Dropout", "Split", how="the same values")
def _same(w: Wanted) -> np.ndarray:
    return w.y


@inverse("Permute", "Reorg", "ShuffleChannel", how="the order undone")
def _reordered(w: Wanted) -> np.ndarray:
    return Alone(w.node, w.params).backward(w.shape, w.y)


# one value at a time ---------------------------------------------------------------------------------------------

@inverse("BatchNorm", "BN", "Scale", "Bias", how="(y - offset) / factor")
def _affine(w: Wanted) -> np.ndarray:
    if w.node.type == "BatchNorm" and not getattr(w.node.layer, "stored", True):
        raise w.refuse("by the batch's statistics, which it removes")
    alone = Alone(w.node, w.params)
    offset = alone.forward(np.zeros(w.shape))
    factor = alone.forward(np.ones(w.shape)) - offset
    if (factor == 0).any():
        raise w.refuse(f"{int((factor == 0).sum())} factors are 0")
    return (w.y - offset) / factor


@inverse("Sigmoid", how="log(y / (1 - y))")
def _sigmoid(w: Wanted) -> np.ndarray:
    y = w.inside(0, 1)
    return np.log(y) - np.log1p(-y)


@inverse("TanH", how="artanh(y)")
def _tanh(w: Wanted) -> np.ndarray:
    return np.arctanh(w.inside(-1, 1))


@inverse("ScaledTanH", "SymmetricSigmoid", how="artanh(y / a) / b")
def _scaled_tanh(w: Wanted) -> np.ndarray:
    a, b = _tanh_options(w.node)
    return np.arctanh(w.inside(-a, a) / a) / b


def _tanh_options(node: LayerNode) -> tuple[float, float]:
    """a and b of a * tanh(b * x), read off the layer's own values."""
    alone = Alone(node)
    a = float(alone.forward(np.full((1, 1), 1e6))[0, 0])
    small = 1e-6
    return abs(a), float(np.arctanh(alone.forward(np.full((1, 1), small))[0, 0] / abs(a))) / small


@inverse("ReLU", how="y, or y / slope below 0")
def _relu(w: Wanted) -> np.ndarray:
    slope = w.o.negative_slope
    if slope < 0:
        raise w.refuse("with a negative slope two inputs give one value")
    if slope == 0:
        w.how = "y (where y is 0, of all values up to 0 it is 0)"
        return w.inside(0, math.inf, closed=True)
    return np.where(w.y > 0, w.y, w.y / slope)


@inverse("PReLU", how="y, or y / slope below 0")
def _prelu(w: Wanted) -> np.ndarray:
    slope = w.params[0].data.astype(np.float64).reshape(-1, *(1,) * (w.y.ndim - 2))
    if (slope <= 0).any():
        raise w.refuse(f"{int((slope <= 0).sum())} slopes are not above 0")
    return np.where(w.y > 0, w.y, w.y / slope)


@inverse("ELU", how="y, or log(1 + y / alpha) below 0")
def _elu(w: Wanted) -> np.ndarray:
    alpha = w.o.alpha
    if alpha <= 0:
        raise w.refuse(f"alpha {alpha:g} is not above 0")
    y = w.inside(-alpha, math.inf)
    return np.where(y > 0, y, np.log1p(np.minimum(y, 0) / alpha))


@inverse("ReLU6", how="y (at the ends, the nearest)")
def _relu6(w: Wanted) -> np.ndarray:
    slope = getattr(w.o, "negative_slope", 0.0)
    if slope:
        raise w.refuse("with a slope below 0")
    return w.inside(0, 6, closed=True)


@inverse("Clip", how="y (at the ends, the nearest)")
def _clip(w: Wanted) -> np.ndarray:
    return w.inside(w.o.min, w.o.max, closed=True)


@inverse("HardSigmoid", how="(y - beta) / alpha")
def _hard_sigmoid(w: Wanted) -> np.ndarray:
    alone = Alone(w.node)
    beta = float(alone.forward(np.zeros((1, 1)))[0, 0])
    small = 1e-3 if beta + 1e-3 < 1 else -1e-3
    alpha = (float(alone.forward(np.full((1, 1), small))[0, 0]) - beta) / small
    if not 0 < beta < 1 or alpha == 0:
        raise w.refuse("it is constant at 0")
    return (w.inside(0, 1, closed=True) - beta) / alpha


@inverse("AbsVal", how="y (of the two inputs, that above 0)")
def _absolute(w: Wanted) -> np.ndarray:
    return w.inside(0, math.inf, closed=True)


@inverse("BNLL", how="log(e^y - 1)")
def _bnll(w: Wanted) -> np.ndarray:
    y = w.inside(0, math.inf)
    return y + np.log(-np.expm1(-y))


@inverse("Power", how="(y^(1 / power) - shift) / scale")
def _power(w: Wanted) -> np.ndarray:
    power, scale, shift = w.o.power, w.o.scale, w.o.shift
    if power * scale == 0:
        raise w.refuse("its result is a constant")
    if power % 2 == 1:  # odd: every value has one root
        root = np.sign(w.y) * np.abs(w.inside(-math.inf, math.inf, closed=True)) ** (1 / power)
    else:
        y = w.inside(0, math.inf, closed=power > 0)
        root = y ** (1 / power)
    if not np.isfinite(root).all():
        raise OutOfRange(f"{w.node.who}: no input gives 0 with the power {power:g}", where=w.node.located.span)
    return (root - shift) / scale


@inverse("Exp", how="(log(y) / log(base) - shift) / scale")
def _exp(w: Wanted) -> np.ndarray:
    log_base = 1.0 if w.o.base == -1 else math.log(w.o.base)
    if w.o.scale * log_base == 0:
        raise w.refuse("its result is a constant")
    return (np.log(w.inside(0, math.inf)) / log_base - w.o.shift) / w.o.scale


@inverse("Log", how="(base^y - shift) / scale")
def _log(w: Wanted) -> np.ndarray:
    log_base = 1.0 if w.o.base == -1 else math.log(w.o.base)
    if w.o.scale == 0:
        raise w.refuse("its result is a constant")
    return (np.exp(w.y * log_base) - w.o.shift) / w.o.scale


@inverse("Softmax", how="log(y), its mean moved to the constant")
def _softmax(w: Wanted) -> np.ndarray:
    axis = w.o.axis
    y = w.inside(0, 1) if w.y.shape[axis] > 1 else w.inside(0, 1, closed=True)
    total = y.sum(axis=axis)
    if not w.clip and np.abs(total - 1).max(initial=0) > 1e-3:
        worst = float(total.reshape(-1)[np.abs(total - 1).argmax()])
        raise OutOfRange(f"{w.node.who}: expected wanted probabilities that add up to 1, got {worst:g}",
                         where=w.node.located.span, hint="--clip 0.001 divides them by their sum")
    scores = np.log(y)
    return scores - scores.mean(axis=axis, keepdims=True) + w.constant


# many values to many ---------------------------------------------------------------------------------------------

@inverse("InnerProduct", how="least squares")
def _inner_product(w: Wanted) -> np.ndarray:
    weights = w.params[0].data if not w.o.transpose else w.params[0].data.T
    rows = w.y.reshape(-1, weights.shape[0]).T
    bias = w.params[1].data.astype(np.float64)[:, None] if w.o.bias_term else 0.0
    return _solved(w, weights, rows - bias, math.prod(w.shape) // weights.shape[1]).T


def _solved(w: Wanted, weights: np.ndarray, y: np.ndarray, rows: int) -> np.ndarray:
    """x (n, rows) with weights x = y, within the limits where there is a choice."""
    solver = LeastSquares(weights)
    free = np.ndim(w.low) == 0 and not math.isfinite(float(w.low)) and not math.isfinite(float(w.high))
    x = solver.solve(y) if free else solver.within(y, _limits(w.low, rows), _limits(w.high, rows))
    m, n = weights.shape
    fit = "smallest" if m < n else "exact" if m == n else "nearest"
    w.how = f"{fit} of {m}x{n}, {solver.how}"
    if not free and m < n:
        low, high = _limits(w.low, rows), _limits(w.high, rows)
        w.how += ", within limits" if ((x >= low) & (x <= high)).all() else ", none found within limits"
    return x


def _limits(limit: np.ndarray | float, rows: int) -> np.ndarray | float:
    """Limits (n, rows) of an array with as many values as the bottom."""
    return limit if np.ndim(limit) == 0 else np.asarray(limit).reshape(rows, -1).T


@inverse("Convolution", "DepthwiseConvolution", "ConvolutionDepthwise", "Deconvolution", "Interp", "Pad", "Crop", "Tile",
         "Upsample", "Im2col", how="least squares")
def _linear(w: Wanted) -> np.ndarray:
    """Any linear layer: as a matrix where that is small, else by conjugate gradients with the layer's own passes."""
    kind = w.node.type
    if kind == "Convolution" and w.y.shape[2:] == w.shape[2:] and all(n == 1 for n in w.params[0].shape[2:]) \
            and w.o.group == 1 and w.y.ndim == 4:
        return _pointwise(w)
    alone = Alone(w.node, w.params)
    offset = alone.forward(np.zeros(w.shape))
    y, n = w.y - offset, math.prod(w.shape)
    if y.size * n <= DENSE_MOST:
        basis = np.eye(n).reshape(n, *w.shape[1:])
        matrix = (alone.forward(basis) - alone.forward(np.zeros_like(basis))).reshape(n, -1).T
        return _solved(w, matrix, y.reshape(-1, 1), 1)
    x, steps = cgls(lambda v: alone.forward(v) - offset, lambda v: alone.backward(w.shape, v), y, np.zeros(w.shape))
    w.how = f"{'smallest' if y.size < n else 'nearest'} of {y.size}x{n}, CGLS, {steps} steps"
    return x


def _pointwise(w: Wanted) -> np.ndarray:
    """A convolution of 1x1 is an inner product at each place."""
    weights = w.params[0].data.reshape(w.params[0].shape[:2])
    rows = w.y.reshape(weights.shape[0], -1)
    bias = w.params[1].data.astype(np.float64)[:, None] if w.o.bias_term else 0.0
    solver = LeastSquares(weights)
    w.how = f"1x1: {weights.shape[0]}x{weights.shape[1]} at each place, {solver.how}"
    return solver.solve(rows - bias)


@inverse("Pooling", how="least squares (AVE only)")
def _pooling(w: Wanted) -> np.ndarray:
    if w.o.pool != AVE:
        raise w.refuse(REASONS["Pooling"])
    return _linear(w)
