"""check: a net's gradients against central differences, in float64, on the net's own data.

A coordinate sits at a kink when the slopes to its left and right differ (a ReLU at 0, a tie in a max pool): there is no
gradient to compare there, so it is tried with smaller steps and, if that does not help, left out and counted.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netdef.blob import Blob
from netdef.config.load import load_net
from netdef.errors import NetdefError, Span
from netdef.graph.build import build
from netdef.graph.render import shape_text, table
from netdef.rng import Stream
from netdef.runtime.net import Net

STEPS = (1e-5, 1e-6, 1e-7)  # of the coordinate's own size, at least 1; smaller ones escape more kinks


@dataclass
class Row:
    """The result for one param or input: coordinates compared, left out at kinks, and the worst of them."""

    name: str
    shape: tuple[int, ...]
    checked: int = 0
    kinks: int = 0
    worst: float = 0.0
    where: tuple[int, ...] = ()
    analytic: float = 0.0
    numeric: float = 0.0
    failed: int = 0

    @property
    def verdict(self) -> str:
        """``ok``, ``WRONG`` or ``not checked`` (nothing but kinks)."""
        if self.failed:
            return "WRONG"
        return "ok" if self.checked else "not checked"


@dataclass
class CheckReport:
    """All rows; ``ok`` is False as soon as one coordinate disagrees."""

    net: str
    tolerance: float
    rows: list[Row] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every coordinate that was compared agrees, and there was one."""
        return not any(r.failed for r in self.rows) and any(r.checked for r in self.rows)

    def __str__(self) -> str:
        cells = [(r.name, shape_text(r.shape), r.checked, r.kinks, f"{r.worst:.2g}", r.verdict,
                  f"at {list(r.where)}: backward says {r.analytic:.6g}, differences say {r.numeric:.6g}"
                  if r.failed else "") for r in self.rows]
        head = ("gradient by", "shape", "checked", "at kinks", "worst error", "verdict", "")
        return table(cells, head, [2, 3, 4])


def check(net: Any, phase: str = "TRAIN", weights: str | None = None, samples: int = 20, tolerance: float = 1e-4,
          seed: int = 0, level: int | None = None, stages: Sequence[str] = ()) -> CheckReport:
    """Compare backward's gradients with central differences for every param and input of a net.

    ``samples`` coordinates a blob (all, where it has fewer), the one of the largest gradient always among them;
    ``tolerance`` bounds |analytic - numeric| / max(|analytic|, |numeric|, a thousandth of the blob's largest gradient).
    Inputs that nobody fills get seeded normal numbers. A net without a loss is given one: its outputs times seeded
    random numbers. Raises ConfigError(s), and NetdefError where nothing can be checked.
    """
    located = load_net(net).copy()
    located.set("force_backward", True, Span("check"))
    checker = _Checker(Net(build(located, phase, level, stages), dtype="float64", seed=seed, weights=weights), seed)
    report = CheckReport(checker.net.name, tolerance)
    for name, blob, gradient, poke in checker.targets():
        report.rows.append(_check_blob(checker, name, blob, gradient, poke, samples, tolerance))
    checker.net.close()
    if not report.rows:
        raise NetdefError(f"net '{report.net}': there is no param and no input whose gradient could be checked")
    return report


class _Checker:
    """One net, whose pass can be repeated with one number changed."""

    def __init__(self, net: Net, seed: int) -> None:
        self.net = net
        self.seed = seed
        self.change: tuple[str, int, float] | None = None  # blob, flat index, what to add after it is made
        self._fill_inputs()
        self.state = net.state()
        self.out = {} if net.plan.losses else {
            name: Stream(seed, f"check/{name}").normal(net.blobs[name].shape, "float64")
            for name in net.plan.description.outputs}
        net.hooks.add("after_forward", self._apply_change)
        self.value()
        net.clear_param_diffs()
        net.backward(**self.out)  # type: ignore[arg-type]

    def _fill_inputs(self) -> None:
        for name in self.net.inputs:
            blob = self.net.blobs[name]
            if self._wants_gradient(name):
                blob.data[...] = Stream(self.seed, f"check/input/{name}").normal(blob.shape, "float64")

    def _wants_gradient(self, name: str) -> bool:
        plan = self.net.plan
        return any(v.blob == name and v.id in plan.with_gradient for v in plan.description.values)

    def _apply_change(self, run: Any) -> None:
        if self.change is None:
            return
        name, index, amount = self.change
        for blob in run.tops:
            if blob.name == name and not run.bottoms:
                blob.data.reshape(-1)[index] += amount

    def value(self) -> float:
        """The loss of one pass over the same data with the same random numbers."""
        self.net.set_state(self.state)
        self.net.forward()
        if not self.out:
            return self.net.loss
        return float(sum((self.net.blobs[name].data * g).sum() for name, g in self.out.items()))

    def targets(self) -> list[tuple[str, Blob, np.ndarray, Callable[[int, float], float]]]:
        """What to check: name, blob, analytic gradient, and the loss with one coordinate moved by so much."""
        found = []
        for p in self.net.plan.params:
            if p.owner == p.id:
                blob = self.net.param_blobs[p.id]
                layer = self.net.plan.description.layers[p.layer]
                found.append((f"param {layer.name}[{p.index}] {p.init.name}", blob, blob.diff.copy(),
                              self._move_param(blob)))
        for value in self.net.plan.description.values:
            maker = self.net.plan.description.layers[value.maker]
            if not maker.bottoms and value.id in self.net.plan.with_gradient:
                blob = self.net.blobs[value.blob]
                found.append((f"input {value.blob}", blob, blob.diff.copy(),
                              self._move_input(value.blob, blob, maker.type)))
        return found

    def _move_param(self, blob: Blob) -> Callable[[int, float], float]:
        def moved(index: int, amount: float) -> float:
            flat = blob.data.reshape(-1)
            old = flat[index]
            flat[index] = old + amount
            try:
                return self.value()
            finally:
                flat[index] = old

        return moved

    def _move_input(self, name: str, blob: Blob, maker: str) -> Callable[[int, float], float]:
        if maker == "Input":
            return self._move_param(blob)  # nobody overwrites it, so it moves like a param

        def moved(index: int, amount: float) -> float:
            self.change = (name, index, amount)
            try:
                return self.value()
            finally:
                self.change = None

        return moved


def _check_blob(checker: _Checker, name: str, blob: Blob, gradient: np.ndarray,
                moved: Callable[[int, float], float], samples: int, tolerance: float) -> Row:
    row = Row(name, blob.shape)
    flat, values = gradient.reshape(-1), blob.data.reshape(-1).copy()
    floor = max(1e-3 * float(np.abs(flat).max(initial=0)), 1e-7)
    centre = checker.value()
    for index in _sampled(flat, samples, checker.seed, name):
        slope = _slope(moved, centre, index, float(values[index]), floor, tolerance)
        if slope is None:
            row.kinks += 1
            continue
        row.checked += 1
        numeric, noise = slope
        analytic = float(flat[index])
        difference, scale = abs(analytic - numeric), max(abs(analytic), abs(numeric), floor)
        error = difference / scale
        bad = not difference <= tolerance * scale + noise
        row.failed += bad
        if bad and not row.worst > error or error > row.worst:
            row.worst, row.analytic, row.numeric = error, analytic, numeric
            row.where = tuple(int(i) for i in np.unravel_index(index, blob.shape)) if blob.shape else ()
    return row


def _sampled(gradient: np.ndarray, samples: int, seed: int, name: str) -> list[int]:
    if gradient.size <= samples:
        return list(range(gradient.size))
    order = Stream(seed, f"check/sample/{name}").permutation(gradient.size)
    chosen = dict.fromkeys([int(np.abs(gradient).argmax()), *(int(i) for i in order[:samples])])
    return list(chosen)[:samples]


def _slope(moved: Callable[[int, float], float], centre: float, index: int, at: float, floor: float,
           tolerance: float) -> tuple[float, float] | None:
    """The central difference and how far rounding may have moved it, or None at a kink.

    A smooth function has the same slope on both sides, up to the step times its curvature; where they still differ
    with the smallest step, one of the many values that depend on this coordinate crosses a kink.
    """
    for relative in STEPS:
        step = relative * max(1.0, abs(at))
        above, below = moved(index, step), moved(index, -step)
        right, left = (above - centre) / step, (centre - below) / step
        noise = 1e-14 * max(abs(centre), 1.0) / step
        if not np.isfinite(right + left):
            return float("nan"), 0.0
        if abs(right - left) <= tolerance / 2 * max(abs(right), abs(left), floor) + 4 * noise:
            return (above - below) / (2 * step), noise
    return None
