"""Saliency: which values of an input an output depends on.

Every method gives an attribution (C, H, W) for one item: a number for each value of the input. ``METHODS`` names them.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from netdef.errors import NetdefError, did_you_mean
from netdef.probe.goals import UnitGoal
from netdef.probe.space import Space
from netdef.probe.subject import Probe, value_of
from netdef.runtime.executor import RunStep

_BATCH = 16  # items in one pass, where a method needs many


@dataclass(frozen=True)
class Saliency:
    """What a method found: ``attribution`` (C, H, W), or (h, w) for Grad-CAM, and the unit's ``value`` for the input.

    ``check`` says in words how far the method's own promise is kept (completeness of integrated gradients), ``gap`` is the
    number behind it; None and "" where it promises nothing.
    """

    method: str
    attribution: np.ndarray
    value: float
    check: str = ""
    gap: float | None = None

    def heat(self, signed: bool | None = None) -> np.ndarray:
        """One number a place (H, W): of the channels the largest absolute value (Simonyan), or with ``signed`` the sum.

        By default methods whose values add up to something are signed: gradient x input, integrated gradients, occlusion.
        """
        signed = self.method in ("input", "integrated", "occlusion") if signed is None else signed
        a = self.attribution
        if a.ndim < 3:
            return a
        return np.asarray(a.sum(axis=0) if signed else np.abs(a).max(axis=0))


def gradient(probe: Probe, x: np.ndarray, unit: tuple[int, ...]) -> Saliency:
    """d unit / d x at ``x`` (1, C, H, W) (Simonyan et al., Deep Inside Convolutional Networks, 2013)."""
    values, slope = _slopes(probe, x, unit)
    return Saliency("gradient", slope[0], float(values[0]))


def input_times_gradient(probe: Probe, x: np.ndarray, unit: tuple[int, ...]) -> Saliency:
    """x * d unit / d x: each value's part in a linear model of the unit that goes through 0."""
    values, slope = _slopes(probe, x, unit)
    return Saliency("input", slope[0] * x[0], float(values[0]))


def guided(probe: Probe, x: np.ndarray, unit: tuple[int, ...]) -> Saliency:
    """The gradient with all negative gradients dropped at rectifiers (Springenberg et al., Striving for Simplicity, 2014)."""
    with probe.guided():
        values, slope = _slopes(probe, x, unit)
    return Saliency("guided", slope[0], float(values[0]))


def integrated(probe: Probe, x: np.ndarray, unit: tuple[int, ...], baseline: np.ndarray | None = None,
               steps: int = 64) -> Saliency:
    """(x - baseline) times the mean gradient on the straight way from ``baseline`` (1, C, H, W; zeros) to ``x``.

    The attributions add up to unit(x) - unit(baseline) but for the error of a sum of ``steps`` midpoints, which ``gap``
    gives (Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, 2017).
    """
    if steps < 1:
        raise NetdefError(f"steps: expected 1 or more, got {steps}")
    base = np.zeros_like(x, dtype=np.float64) if baseline is None else np.asarray(baseline, np.float64)
    total = np.zeros(x.shape[1:])
    for at in _batches((np.arange(steps) + 0.5) / steps):
        shares = at.reshape(-1, *(1,) * (x.ndim - 1))
        total += _slopes(probe, base + shares * (x - base), unit)[1].sum(axis=0, dtype=np.float64)
    attribution = (x - base)[0] * total / steps
    ends = _values(probe, np.concatenate([base, x]), unit)
    gap = float(attribution.sum() - (ends[1] - ends[0]))
    check = (f"completeness: attributions add up to {attribution.sum():.6g}, f(x) - f(baseline) is {ends[1] - ends[0]:.6g}, "
             f"gap {gap:.2g}")
    return Saliency("integrated", attribution, float(ends[1]), check, gap)


def smoothgrad(probe: Probe, x: np.ndarray, unit: tuple[int, ...], samples: int = 32, noise: float = 0.15,
               seed: int = 0) -> Saliency:
    """The mean gradient over ``samples`` of x with Gaussian noise, ``noise`` being its deviation as a part of the range of x
    (Smilkov et al., SmoothGrad, 2017)."""
    if samples < 1 or noise < 0:
        raise NetdefError(f"expected 1 sample or more and noise from 0 up, got {samples} and {noise}")
    rng, width = np.random.default_rng(seed), noise * float(x.max() - x.min())
    total = np.zeros(x.shape[1:])
    for some in _batches(np.arange(samples)):
        moved = x + width * rng.standard_normal((len(some), *x.shape[1:]))
        total += _slopes(probe, moved, unit)[1].sum(axis=0, dtype=np.float64)
    return Saliency("smooth", total / samples, float(_values(probe, x, unit)[0]))


def occlusion(probe: Probe, x: np.ndarray, unit: tuple[int, ...], size: int = 4, stride: int = 2,
              baseline: np.ndarray | None = None) -> Saliency:
    """How much the unit loses when a square of ``size`` pixels is replaced by the baseline (zeros), on a grid of ``stride``:
    the mean over the squares that cover a pixel (Zeiler and Fergus, Visualizing Convolutional Networks, 2014)."""
    if x.ndim != 4 or size < 1 or stride < 1:
        raise NetdefError(f"occlusion: expected a picture and sizes from 1, got {x.shape}, size {size} and stride {stride}")
    base = np.zeros_like(x) if baseline is None else baseline
    height, width = x.shape[2:]
    value = float(_values(probe, x, unit)[0])
    corners = [(t, s) for t in _starts(height, size, stride) for s in _starts(width, size, stride)]
    lost, count = np.zeros((height, width)), np.zeros((height, width))
    for some in _batches(np.array(corners)):
        moved = np.repeat(x, len(some), axis=0)
        for k, (t, s) in enumerate(some):
            moved[k, :, t: t + size, s: s + size] = base[0, :, t: t + size, s: s + size]
        for (t, s), seen in zip(some, _values(probe, moved, unit), strict=True):
            lost[t: t + size, s: s + size] += value - seen
            count[t: t + size, s: s + size] += 1
    return Saliency("occlusion", (lost / count)[None], value)


def gradcam(probe: Probe, x: np.ndarray, unit: tuple[int, ...], blob: str | None = None) -> Saliency:
    """The channels of an image blob, each weighted with its mean gradient, added up and rectified: (h, w) of that blob.

    ``blob`` None is the last one below the unit's with more than one place (Selvaraju et al., Grad-CAM, 2017).
    """
    run = _image_layer(probe, blob)
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def keep(step: RunStep) -> None:
        if step is run:
            seen.append((step.tops[0].data[0].astype(np.float64), step.tops[0].diff[0].astype(np.float64)))

    with probe.net.hooks.added(before_backward=keep):
        values, _ = _slopes(probe, x, unit)
    maps, slope = seen[0]
    heat = np.maximum((maps * slope.mean(axis=(1, 2), keepdims=True)).sum(axis=0), 0)
    return Saliency("gradcam", heat, float(values[0]), f"of blob '{run.tops[0].name}', {heat.shape[0]}x{heat.shape[1]} places")


METHODS: dict[str, Callable[..., Saliency]] = {
    "gradient": gradient, "input": input_times_gradient, "guided": guided, "integrated": integrated, "smooth": smoothgrad,
    "occlusion": occlusion, "gradcam": gradcam}


def explain(method: str, probe: Probe, x: np.ndarray, unit: tuple[int, ...], **options: object) -> Saliency:
    """The saliency of ``unit`` (an index into the probe's blob) for ``x`` (1, C, H, W) by a method of ``METHODS``.

    Raises NetdefError for an unknown method or unit, and for options that cannot work.
    """
    if method not in METHODS:
        raise NetdefError(f"method: expected {', '.join(METHODS)}, got '{method}'", hint=did_you_mean(method, METHODS))
    return METHODS[method](probe, x, unit, **options)


def baseline_of(text: str, space: Space) -> np.ndarray:
    """``zeros`` (input values 0), ``black``, ``gray`` or ``white`` as input values (1, C, H, W). Raises NetdefError."""
    shades = {"black": 0.0, "gray": 0.5, "white": 1.0}
    if text == "zeros":
        return np.zeros((1, *space.shape))
    if text not in shades:
        raise NetdefError(f"baseline: expected zeros, {', '.join(shades)}, got '{text}'", hint=did_you_mean(text, shades))
    return space.to_values(np.full((1, *space.shape), shades[text]))


def _slopes(probe: Probe, x: np.ndarray, unit: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The unit's values (N) and their gradients (N, C, H, W)."""
    goal = UnitGoal(unit)
    outputs = probe.forward(x)
    losses, seed = goal.loss(outputs)
    return -losses, probe.backward(-seed)


def _values(probe: Probe, x: np.ndarray, unit: tuple[int, ...]) -> np.ndarray:
    return -UnitGoal(unit).loss(probe.forward(x))[0]


def _batches(a: np.ndarray) -> list[np.ndarray]:
    return [a[k: k + _BATCH] for k in range(0, len(a), _BATCH)]


def _starts(length: int, size: int, stride: int) -> list[int]:
    """Where squares begin, so that the last one ends at the edge."""
    last = max(0, length - size)
    return sorted({*range(0, last + 1, stride), last})


def _image_layer(probe: Probe, blob: str | None) -> RunStep:
    """The layer that makes the blob that Grad-CAM looks at. Raises NetdefError."""
    d = probe.net.plan.description
    if blob is not None:
        run = probe.net.steps[value_of(d, blob).maker]
        if len(run.tops[0].shape) != 4 or not run.bottoms:
            raise NetdefError(f"gradcam: expected an image blob (N, C, H, W) that a layer makes, '{blob}' is "
                              f"{run.tops[0].shape}")
        return run
    last = probe.value.maker
    for run in reversed(probe.net.steps[:last]):
        shape = run.tops[0].shape
        if run.bottoms and len(shape) == 4 and shape[2] * shape[3] > 1:
            return run
    raise NetdefError("gradcam: the net has no image blob below the unit", hint="it needs a blob of (N, C, H, W)")
