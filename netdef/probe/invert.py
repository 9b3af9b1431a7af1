"""Inversion by gradient: an input that gives a wanted output, searched from noise, from a picture or from nothing.

After Simonyan, Vedaldi and Zisserman, Deep Inside Convolutional Networks (2013), for classes, and Mahendran and Vedaldi,
Understanding Deep Image Representations by Inverting Them (2014), for the values of any blob.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from netdef.errors import NetdefError, did_you_mean
from netdef.probe.goals import Goal
from netdef.probe.priors import blurred, l2, total_variation
from netdef.probe.space import Space
from netdef.probe.subject import Probe

RULES = ("adam", "normalized")
STARTS = ("noise", "zeros", "gray")
_FRAMES = 40  # pictures of the way that are kept at most


@dataclass(frozen=True)
class Settings:
    """How to search. Steps and priors are measured in units: the span from a black pixel to a white one.

    ``rule``       "adam", or "normalized": the gradient divided by its root mean square, so that the typical step is ``rate``
    ``rate``       length of a step; it falls to a tenth of it on the way, by a half cosine
    ``iterations`` at most so many; it ends before where the residual is at most ``tolerance``
    ``l2``, ``tv`` weights of the priors (``priors.py``), beside a loss that is 2.3 for ten even classes, 0.5 for a black start
    ``blur``       pixels of a Gaussian that smooths the picture every ``blur_every`` steps, falling to 0 halfway
    ``jitter``     the picture is shifted at random by up to so many pixels before each step, and back behind it
    ``box``        keep to values that are a picture
    """

    rule: str = "adam"
    rate: float = 0.05
    iterations: int = 300
    tolerance: float = 1e-3
    l2: float = 0.0
    tv: float = 0.0
    blur: float = 0.0
    blur_every: int = 10
    jitter: int = 0
    box: bool = True

    def __post_init__(self) -> None:
        """Raises NetdefError for settings that cannot work."""
        if self.rule not in RULES:
            raise NetdefError(f"rule: expected {' or '.join(RULES)}, got '{self.rule}'", hint=did_you_mean(self.rule, RULES))
        for name in ("l2", "tv", "blur", "tolerance", "jitter"):
            if not 0 <= getattr(self, name) < np.inf:
                raise NetdefError(f"{name}: expected a number from 0 up, got {getattr(self, name)}")
        if not 0 < self.rate < np.inf or self.iterations < 0 or self.blur_every < 1:
            raise NetdefError(f"expected a rate above 0, iterations from 0 and blur_every from 1, got {self.rate}, "
                              f"{self.iterations} and {self.blur_every}")


@dataclass
class Inversion:
    """An input, as ``values`` (C, H, W) and ``units``, the ``outputs`` (...) that it gives, and how it was found.

    ``losses`` and ``residuals`` are those of each step, the start first; ``reached``: within the tolerance; ``best`` is the
    step that is returned. ``frames`` are units on the way, with the steps they are of.
    """

    values: np.ndarray
    units: np.ndarray
    outputs: np.ndarray
    residual: float
    reached: bool
    best: int
    losses: list[float] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)
    frames: list[tuple[int, np.ndarray]] = field(default_factory=list)


def start_units(space: Space, start: str = "noise", seed: int = 0) -> np.ndarray:
    """Units (1, C, H, W) to begin at: "noise" (0.5 with a deviation of 0.1, from ``seed``), "gray" (0.5), or "zeros": where
    the net's input is 0, which is black or, with a mean subtracted, the mean. Raises NetdefError."""
    if start not in STARTS:
        raise NetdefError(f"start: expected {', '.join(STARTS)}, got '{start}'", hint=did_you_mean(start, STARTS))
    if start == "zeros":
        return space.clipped(space.to_units(np.zeros((1, *space.shape))))
    if start == "gray":
        return np.full((1, *space.shape), 0.5)
    return space.clipped(0.5 + 0.1 * np.random.default_rng(seed).standard_normal((1, *space.shape)))


def invert(probe: Probe, space: Space, goal: Goal, start: np.ndarray | None = None, settings: Settings | None = None,
           seed: int = 0, told: Callable[[int, float, float], None] | None = None, frames: bool = False) -> Inversion:
    """The input with the smallest loss and priors that a search finds for ``goal``.

    ``start`` is units (1, C, H, W), by default noise from ``seed``, of which ``jitter`` is drawn too: the same seed, the same
    result. ``told(step, loss, residual)`` is called for every step; with ``frames`` pictures of the way are kept.
    Raises NetdefError where the goal does not fit the outputs, NumericalError.
    """
    s = settings or Settings()
    units = start_units(space, "noise", seed) if start is None else np.array(start, np.float64)
    rng, rule = np.random.default_rng([seed, 1]), _Rule(s)
    kept: Inversion | None = None
    least = np.inf
    losses, residuals, pictures = [], [], []
    every = max(1, -(-s.iterations // _FRAMES))
    for step in range(s.iterations + 1):
        shift = rng.integers(-s.jitter, s.jitter + 1, 2) if s.jitter and units.ndim == 4 else (0, 0)
        outputs, total, gradient = _look(probe, space, goal, s, units, shift)
        residual = goal.residual(outputs)
        losses.append(total)
        residuals.append(residual)
        if told is not None:
            told(step, total, residual)
        if frames and (step % every == 0 or step == s.iterations):
            pictures.append((step, units[0].copy()))
        reached = residual <= s.tolerance
        if kept is None or reached or total < least:
            least = total
            kept = Inversion(space.to_values(units)[0], units[0].copy(), outputs[0], residual, reached, step)
        if reached or step == s.iterations:
            break
        units = units - rule.step(gradient, step)
        if s.blur and (step + 1) % s.blur_every == 0:
            units = blurred(units, s.blur * max(0.0, 1 - 2 * step / s.iterations))
        units = space.clipped(units) if s.box else units
    assert kept is not None
    kept.losses, kept.residuals, kept.frames = losses, residuals, pictures
    if s.jitter:  # what it gives where it stands
        kept.outputs = probe.forward(kept.values[None])[0]
        kept.residual = goal.residual(kept.outputs[None])
    return kept


def _look(probe: Probe, space: Space, goal: Goal, s: Settings, units: np.ndarray,
          shift: tuple[int, int] | np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Outputs, the loss with priors, and its gradient by units, of the picture shifted and the gradient shifted back."""
    moved = any(shift)
    seen = np.roll(units, shift, (2, 3)) if moved else units
    outputs = probe.forward(space.to_values(seen))
    loss, seed = goal.loss(outputs)
    gradient = probe.backward(seed) * space.span
    if moved:
        gradient = np.roll(gradient, (-shift[0], -shift[1]), (2, 3))
    total = float(loss[0])
    for weight, prior in ((s.l2, l2(units, space) if s.l2 else None), (s.tv, total_variation(units) if s.tv else None)):
        if prior is not None:
            total += weight * float(prior[0][0])
            gradient = gradient + weight * prior[1]
    return outputs, total, gradient


class _Rule:
    """Steps from gradients: Adam (Kingma and Ba, 2015), or the gradient over its root mean square."""

    def __init__(self, settings: Settings) -> None:
        self.s = settings
        self.mean: np.ndarray | float = 0.0
        self.square: np.ndarray | float = 0.0

    def step(self, gradient: np.ndarray, at: int) -> np.ndarray:
        """What to subtract in step ``at`` (from 0)."""
        rate = self.s.rate * (0.55 + 0.45 * np.cos(np.pi * at / max(1, self.s.iterations)))
        if self.s.rule == "normalized":
            return np.asarray(rate * gradient / (np.sqrt(np.mean(gradient**2)) + 1e-30))
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient**2
        root = np.sqrt(self.square / (1 - 0.999 ** (at + 1)))
        return np.asarray(rate * (self.mean / (1 - 0.9 ** (at + 1))) / (root + 1e-12))
