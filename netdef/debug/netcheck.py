"""check: a net's gradients against central differences, in float64, on the net's own data.

Each param and input is tried along two directions first (a random one and its own gradient: two numbers stand for all
of its elements), and element by element where that fails or meets a kink. If something is wrong, every layer is checked
alone, so that the report names the layer, the right number and the likely mistake.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from netdef.config.load import load_net
from netdef.debug.layercheck import Wrong, case_of, smallest, wrong_gradients
from netdef.debug.passes import Passes, Target
from netdef.debug.replay import write_case
from netdef.debug.slopes import index_of, slope
from netdef.errors import NetdefError, Span
from netdef.graph.build import build
from netdef.graph.model import GraphPlan, as_plain
from netdef.graph.render import shape_text, table
from netdef.rng import Stream
from netdef.runtime import load
from netdef.runtime.net import Net

MOST_ELEMENTS = 500  # tried one by one where a direction shows that one of them is wrong
FLOAT32_TOLERANCE = 2e-3  # of the largest gradient of a blob: float32 has seven digits, sums over a net lose some


@dataclass
class Row:
    """The result for one param or input.

    ``how`` is ``directions`` or ``elements``; ``checked`` and ``kinks`` count what was compared and what was left out;
    ``worst`` is the largest relative error, ``float32`` that of the float32 pass against the float64 one.
    """

    name: str
    shape: tuple[int, ...]
    how: str = "directions"
    checked: int = 0
    kinks: int = 0
    worst: float = 0.0
    where: tuple[int, ...] = ()
    analytic: float = 0.0
    numeric: float = 0.0
    failed: int = 0
    float32: float | None = None

    @property
    def verdict(self) -> str:
        """``ok``, ``WRONG``, ``float32 is WRONG`` or ``not checked`` (nothing but kinks)."""
        if self.failed:
            return "WRONG"
        if self.float32 is not None and not self.float32 <= FLOAT32_TOLERANCE:
            return "float32 is WRONG"
        return "ok" if self.checked else "not checked"


@dataclass
class CheckReport:
    """All rows, and the layers that are wrong when checked alone."""

    net: str
    tolerance: float
    rows: list[Row] = field(default_factory=list)
    layers: list[Wrong] = field(default_factory=list)
    case: str = ""

    @property
    def ok(self) -> bool:
        """Whether all that was compared agrees, and there was something."""
        return not self.layers and all(r.verdict in ("ok", "not checked") for r in self.rows) and any(
            r.checked for r in self.rows)

    def __str__(self) -> str:
        cells = [(r.name, shape_text(r.shape), r.how, r.checked, r.kinks, f"{r.worst:.2g}",
                  "-" if r.float32 is None else f"{r.float32:.2g}", r.verdict, _detail(r)) for r in self.rows]
        head = ("gradient by", "shape", "checked by", "number", "at kinks", "worst error", "float32", "verdict", "")
        lines = [table(cells, head, [3, 4, 5, 6])]
        if self.layers:
            lines += ["", "layers whose backward is wrong:", *(f"  {w}" for w in self.layers)]
        if self.case:
            lines += [f"the smallest failing case is in {self.case}; `netdef check {self.case}` replays it"]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        rows = [{**vars(r), "verdict": r.verdict} for r in self.rows]
        layers = [{**vars(w), "span": str(w.span) if w.span else None} for w in self.layers]
        return as_plain({"net": self.net, "ok": self.ok, "tolerance": self.tolerance, "rows": rows, "layers": layers,
                         "case": self.case or None})


def _detail(r: Row) -> str:
    if not r.failed:
        return ""
    where = f"at {list(r.where)}" if r.how == "elements" else "along a direction"
    return f"{where}: backward says {r.analytic:.6g}, differences say {r.numeric:.6g}"


def check(net: Any, phase: str = "TRAIN", weights: Sequence[str] | str | None = None, samples: int = 20,
          tolerance: float = 1e-4, seed: int = 0, level: int | None = None, stages: Sequence[str] = (),
          start: str | None = None, float32: bool = True, case_file: Path | None = None) -> CheckReport:
    """Compare backward's gradients with central differences for every param and input of a net.

    ``samples`` coordinates a blob (all, where it has fewer) where directions do not settle it, the one of the largest
    gradient always among them; ``tolerance`` bounds |analytic - numeric| / max(|analytic|, |numeric|, a thousandth of the
    blob's largest gradient). Inputs that nobody fills get seeded normal numbers. ``start`` names a blob: a seeded random
    gradient is put there and followed down; a net without a loss gets one in its outputs. ``float32`` compares the
    float32 pass, with its compiled kernels, with the float64 one too. ``case_file`` is where the smallest failing case
    goes. Raises ConfigError(s), and NetdefError where nothing can be checked.
    """
    located = load_net(net).copy()
    located.set("force_backward", True, Span("check"))
    plan = build(located, phase, level, stages)
    given = weights or load.own_weights(net)
    passes = Passes(Net(plan, dtype="float64", seed=seed, weights=given), seed, start)
    report = CheckReport(passes.net.name, tolerance)
    targets = passes.targets()
    if not targets:
        raise NetdefError(f"net '{report.net}': there is no param and no input whose gradient could be checked")
    for target in targets:
        report.rows.append(_check_target(passes, target, samples, tolerance))
    if any(r.failed or not r.checked for r in report.rows):
        _check_layers(passes, report, max(samples, MOST_ELEMENTS), case_file)
    if float32:
        _check_float32(plan, passes, report, given, seed, start)
    passes.net.close()
    return report


def _check_target(passes: Passes, target: Target, samples: int, tolerance: float) -> Row:
    if target.gradient.size <= 4:
        return _check_elements(passes, target, samples, tolerance)
    along = _check_directions(passes, target, tolerance)
    if along is None:
        return _check_elements(passes, target, samples, tolerance)
    if not along.failed:
        return along
    found = _check_elements(passes, target, max(samples, MOST_ELEMENTS), tolerance)
    return found if found.failed else along


def _check_directions(passes: Passes, target: Target, tolerance: float) -> Row | None:
    """Slopes along a random direction and along the gradient itself; None where they meet a kink."""
    row = Row(target.name, target.blob.shape)
    gradient = target.gradient
    norm = float(np.linalg.norm(gradient))
    if not np.isfinite(norm):
        return None
    noise = Stream(passes.seed, f"check/direction/{target.name}").normal(gradient.shape, "float64")
    directions = [noise / np.linalg.norm(noise)] + ([gradient / norm] if norm > 0 else [])
    centre = passes.value()
    for direction in directions:
        found = slope(_along(target, direction), centre, 1.0, tolerance, 1e-7)
        if found is None:
            return None
        row.checked += 1
        analytic = float((gradient * direction).sum())
        error = abs(analytic - found.value) / max(abs(analytic), abs(found.value), 1e-3 * norm, 1e-7)
        row.worst = max(row.worst, error)
        if not found.agrees(analytic, tolerance, 1e-3 * norm):
            row.failed, row.analytic, row.numeric = 1, analytic, found.value
            break
    return row


def _along(target: Target, direction: np.ndarray) -> Callable[[float], float]:
    return lambda amount: target.moved(amount * direction)


def _check_elements(passes: Passes, target: Target, samples: int, tolerance: float) -> Row:
    row = Row(target.name, target.blob.shape, "elements")
    flat, values = target.gradient.reshape(-1), target.blob.data.reshape(-1).copy()
    floor = max(1e-3 * float(np.abs(np.nan_to_num(flat)).max(initial=0)), 1e-7)
    centre = passes.value()
    for index in _sampled(flat, samples, passes.seed, target.name):
        found = slope(_element(target, index), centre, abs(float(values[index])), tolerance, floor)
        if found is None:
            row.kinks += 1
            continue
        row.checked += 1
        analytic = float(flat[index])
        bad = not found.agrees(analytic, tolerance, floor)
        error = abs(analytic - found.value) / max(abs(analytic), abs(found.value), floor)
        row.failed += bad
        if (bad and not row.worst > error) or error > row.worst:
            row.worst, row.analytic, row.numeric = error, analytic, found.value
            row.where = index_of(index, row.shape)
    return row


def _element(target: Target, index: int) -> Callable[[float], float]:
    def moved(amount: float) -> float:
        change = np.zeros(target.gradient.size)
        change[index] = amount
        return target.moved(change.reshape(target.gradient.shape))

    return moved


def _sampled(gradient: np.ndarray, samples: int, seed: int, name: str) -> list[int]:
    if gradient.size <= samples:
        return list(range(gradient.size))
    order = Stream(seed, f"check/sample/{name}").permutation(gradient.size)
    chosen = dict.fromkeys([int(np.abs(np.nan_to_num(gradient)).argmax()), *(int(i) for i in order[:samples])])
    return list(chosen)[:samples]


def _check_layers(passes: Passes, report: CheckReport, samples: int, case_file: Path | None) -> None:
    """Each layer that runs backward alone, the first one of the net first; the first wrong one goes into the file."""
    passes.value()
    for run in passes.net.steps:
        if not run.step.backward:
            continue
        case = case_of(run, passes.net.seed, run.context.iteration, passes.state["layers"].get(run.name, {}))
        found = wrong_gradients(case, samples, report.tolerance, run.node.located.span)
        if found and case_file is not None and not report.case:
            write_case(case_file, smallest(case, samples, report.tolerance))
            report.case = str(case_file)
        report.layers += found


def _check_float32(plan: GraphPlan, passes: Passes, report: CheckReport, weights: Any, seed: int,
                   start: str | None) -> None:
    """The same pass in float32, on whatever kernels run there, against the float64 gradients."""
    single = Passes(Net(plan, dtype="float32", seed=seed, weights=weights), seed, start, like=passes)
    for row, double, low in zip(report.rows, passes.targets(), single.targets(), strict=True):
        largest = float(np.abs(double.gradient).max(initial=0))
        if largest > 1e-12:
            with np.errstate(invalid="ignore", over="ignore"):
                error = float(np.abs(low.gradient - double.gradient).max(initial=0)) / largest
            row.float32 = error if np.isfinite(error) else float("inf")
    single.net.close()
