"""Adversarial pictures: the smallest step a few grey levels wide that changes what a net says.

After Goodfellow, Shlens and Szegedy, Explaining and Harnessing Adversarial Examples (2014; FGSM), and Madry et al., Towards
Deep Learning Models Resistant to Adversarial Attacks (2017; PGD). Distances are in pixels from 0 to 255, whatever the
preprocessing makes of them, and every picture stays one: its pixels lie between 0 and 255.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netdef.errors import NetdefError, did_you_mean
from netdef.probe.goals import ClassGoal
from netdef.probe.space import Space
from netdef.probe.subject import Probe, linked

METHODS = ("fgsm", "pgd")
NORMS = ("linf", "l2")


@dataclass(frozen=True)
class Attack:
    """How to attack.

    ``method``  "fgsm": one step; "pgd": ``steps`` of them, each brought back into the ball around the picture
    ``norm``    "linf": no pixel moves by more than ``eps``; "l2": the length of the change is at most ``eps``
    ``eps``     in pixels, 0 to 255
    ``step``    length of a step of PGD in pixels; None: 2.5 eps / steps
    ``random``  PGD begins at a random place in the ball, drawn from ``seed``
    ``target``  the class to be taken for; None: any other than the right one
    ``whole``   end at whole pixels, as a picture file holds them
    """

    method: str = "pgd"
    norm: str = "linf"
    eps: float = 8.0
    steps: int = 20
    step: float | None = None
    random: bool = True
    seed: int = 0
    target: int | None = None
    whole: bool = True

    def __post_init__(self) -> None:
        """Raises NetdefError for settings that cannot work."""
        for name, known in (("method", METHODS), ("norm", NORMS)):
            if getattr(self, name) not in known:
                raise NetdefError(f"{name}: expected {' or '.join(known)}, got '{getattr(self, name)}'",
                                  hint=did_you_mean(getattr(self, name), known))
        if not 0 <= self.eps < math.inf or self.steps < 1 or (self.step is not None and not 0 < self.step < math.inf):
            raise NetdefError(f"expected eps from 0 up, in pixels, and steps and their length above 0, got eps {self.eps}, "
                              f"steps {self.steps}, step {self.step}")


@dataclass(frozen=True)
class Attacked:
    """Pictures before and after, N of each, as units (N, C, H, W) and as what the net says of them.

    ``before`` and ``after`` are probabilities (N, classes); ``labels`` (N) the classes that count as right; ``fooled`` (N):
    the net said the right class and now says another one (the target, where there is one). ``moved`` (N): the largest
    change of a pixel; ``length`` (N): the length of the change; both in pixels.
    """

    original: np.ndarray
    units: np.ndarray
    before: np.ndarray
    after: np.ndarray
    labels: np.ndarray
    fooled: np.ndarray
    moved: np.ndarray
    length: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Which pictures (N) the net knew before."""
        return np.asarray(self.before.argmax(axis=1) == self.labels)

    @property
    def rate(self) -> float:
        """How many of the pictures that the net knew it no longer knows; 0 where it knew none."""
        known = int(self.right.sum())
        return int(self.fooled.sum()) / known if known else 0.0


def attack(probe: Probe, space: Space, x: np.ndarray, labels: Sequence[int] | np.ndarray | None = None,
           how: Attack | None = None) -> Attacked:
    """Attack inputs ``x`` (N, C, H, W), values as the net takes them, of classes ``labels`` (N; None: what the net says).

    The loss is the cross-entropy of the probe's scores. Raises NetdefError where these are not one score a class, or the
    target is no class, or it is the right class.
    """
    how = how or Attack()
    values = probe.forward(x)
    before = _probabilities(probe, values)
    right = before.argmax(axis=1) if labels is None else np.asarray(labels, np.int64).reshape(-1)
    goal = _goal(probe, how, right, before.shape[1])
    origin = space.to_units(x)
    if space.bounded:
        origin = np.clip(origin, 0, 1)
    eps = how.eps / 255
    units = origin
    if how.method == "fgsm":
        units = _projected(origin + _direction(_slope(probe, space, goal, origin), how.norm, eps), origin, eps, how.norm, space)
    else:
        rng = np.random.default_rng(how.seed)
        step = eps * 2.5 / how.steps if how.step is None else how.step / 255
        if how.random:
            units = _projected(origin + _random(rng, origin.shape, eps, how.norm), origin, eps, how.norm, space)
        for _ in range(how.steps):
            moved = units + _direction(_slope(probe, space, goal, units), how.norm, step)
            units = _projected(moved, origin, eps, how.norm, space)
    if how.whole and space.picture:
        units = whole_pixels(units, origin, how)
    after = _probabilities(probe, probe.forward(space.to_values(units)))
    said = after.argmax(axis=1)
    fooled = (before.argmax(axis=1) == right) & (said != right) & ((how.target is None) | (said == how.target))
    off = ((units - origin) * 255).reshape(len(x), -1)
    return Attacked(origin, units, before, after, right, fooled, np.abs(off).max(axis=1, initial=0),
                    np.linalg.norm(off, axis=1))


def whole_pixels(units: np.ndarray, origin: np.ndarray, how: Attack) -> np.ndarray:
    """The nearest whole pixels that are no further away than ``eps``: rounded towards the original where need be."""
    pixels, old = np.floor(units * 255 + 0.5), origin * 255
    if how.norm == "linf":
        least, most = np.ceil(old - how.eps - 1e-6), np.floor(old + how.eps + 1e-6)
        pixels = np.where(least <= most, np.clip(pixels, least, np.maximum(least, most)), np.floor(old + 0.5))
    else:
        far = np.linalg.norm((pixels - old).reshape(len(pixels), -1), axis=1) > how.eps
        inward = np.where(units * 255 > old, np.floor(units * 255 + 1e-6), np.ceil(units * 255 - 1e-6))
        pixels[far] = inward[far]
    return np.clip(pixels, 0, 255) / 255


def _probabilities(probe: Probe, values: np.ndarray) -> np.ndarray:
    """(N, classes). Raises NetdefError."""
    if probe.classes is None:
        raise NetdefError(f"attack: expected one score a class, (N, C), blob '{probe.blob}' is {probe.out_shape} an item",
                          hint="--blob NAME picks another one")
    rows = values.reshape(len(values), -1).astype(np.float64)
    return linked(rows, probe.link or "softmax")


def _goal(probe: Probe, how: Attack, right: np.ndarray, classes: int) -> ClassGoal:
    if how.target is not None and not 0 <= how.target < classes:
        raise NetdefError(f"target: there is no class {how.target}: the net knows {classes}, from 0")
    if how.target is not None and len(right) == 1 and right[0] == how.target:
        raise NetdefError(f"target: the picture is of class {how.target} already")
    bad = [int(c) for c in right if not 0 <= c < classes]
    if bad:
        raise NetdefError(f"the label {bad[0]} is no class: the net knows {classes}, from 0")
    if how.target is not None:
        return ClassGoal((how.target,), probe.link)
    return ClassGoal(tuple(int(c) for c in right), probe.link, away=True)


def _slope(probe: Probe, space: Space, goal: ClassGoal, units: np.ndarray) -> np.ndarray:
    """The gradient of the loss, of each item for itself, by units."""
    return np.asarray(probe.gradient(space.to_values(units), lambda v: goal.loss(v)[1])[1] * space.span, np.float64)


def _direction(slope: np.ndarray, norm: str, length: float) -> np.ndarray:
    """A step of a length downhill: by the sign of each value, or along the gradient."""
    if norm == "linf":
        return -length * np.sign(slope)
    sizes = np.linalg.norm(slope.reshape(len(slope), -1), axis=1).reshape(-1, *(1,) * (slope.ndim - 1))
    return np.asarray(-length * slope / np.maximum(sizes, 1e-30))


def _random(rng: np.random.Generator, shape: tuple[int, ...], eps: float, norm: str) -> np.ndarray:
    """A random place in the ball, evenly spread."""
    if norm == "linf":
        return rng.uniform(-eps, eps, shape)
    drawn = rng.standard_normal(shape)
    count = math.prod(shape[1:])
    radius = eps * rng.random(shape[0]) ** (1 / max(1, count)) / np.linalg.norm(drawn.reshape(shape[0], -1), axis=1)
    return np.asarray(drawn * radius.reshape(-1, *(1,) * (len(shape) - 1)))


def _projected(units: np.ndarray, origin: np.ndarray, eps: float, norm: str, space: Space) -> np.ndarray:
    """The nearest place in the ball, then the nearest picture (which is no further away)."""
    off = units - origin
    if norm == "linf":
        off = np.clip(off, -eps, eps)
    else:
        sizes = np.linalg.norm(off.reshape(len(off), -1), axis=1).reshape(-1, *(1,) * (off.ndim - 1))
        off = off * np.minimum(1, eps / np.maximum(sizes, 1e-30))
    return space.clipped(origin + off)
