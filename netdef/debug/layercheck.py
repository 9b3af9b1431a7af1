"""One layer alone: its backward against differences of its own forward, on the data it saw in the net."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from netdef.blob import Blob
from netdef.debug.mistakes import recognise
from netdef.debug.slopes import index_of, slope
from netdef.errors import Span
from netdef.layers.base import Context, Inferred, Layer, Need
from netdef.rng import Stream
from netdef.runtime.executor import RunStep

Array = np.ndarray


@dataclass(frozen=True)
class Case:
    """A layer with all it needs for one pass: arrays in float64, the gradients from above, and what to check."""

    layer: Layer
    bottoms: tuple[Array, ...]
    params: tuple[Array, ...]
    top_diffs: tuple[Array, ...]
    need: Need
    phase: str
    seed: int
    iteration: int
    state: dict[str, Any]


@dataclass(frozen=True)
class Wrong:
    """One gradient of one layer that is wrong: where it is worst, both numbers there, and the likely mistake."""

    layer: str
    type: str
    what: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    mistake: str
    span: Span | None = None
    note: str = ""

    def __str__(self) -> str:
        where = f"{self.span}: " if self.span else ""
        guess = f"; likely mistake: {self.mistake}" if self.mistake else ""
        return (f"{where}layer '{self.layer}' ({self.type}): gradient by {self.what} is wrong at {list(self.index)}: "
                f"backward says {self.analytic:.6g}, it should be {self.numeric:.6g}{guess}{self.note}")


def case_of(run: RunStep, seed: int, iteration: int, state: dict[str, Any]) -> Case:
    """The case of a layer as it last ran; gradients from above are seeded normal numbers (1 for a loss)."""
    tops = tuple(np.ones(b.shape) if run.layer.is_loss and not b.shape
                 else Stream(seed, f"check/top/{run.name}/{i}").normal(b.shape, "float64")
                 for i, b in enumerate(run.tops))
    return Case(run.layer, tuple(b.data.copy() for b in run.bottoms), tuple(b.data.copy() for b in run.params), tops,
                run.need, run.context.phase, seed, iteration, state)


class Runner:
    """Repeats one layer's pass with blobs of its own, so that in-place layers and the net stay untouched."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.bottoms = [_blob(f"bottom{i}", a) for i, a in enumerate(case.bottoms)]
        self.params = [_blob(f"param{i}", a) for i, a in enumerate(case.params)]
        self.inferred: Inferred = case.layer.infer([b.shape for b in self.bottoms])
        self.tops = [Blob(f"top{i}", tuple(s), "float64") for i, s in enumerate(self.inferred.tops)]
        self.context = Context(case.phase, case.iteration, np.dtype("float64"), Stream(case.seed, case.layer.name),
                               _arrays(self.inferred.workspace), _arrays(self.inferred.scratch))

    def value(self) -> float:
        """The tops times the gradients from above, summed."""
        case = self.case
        if case.state:
            case.layer.set_state(case.state)
        for blob, data in zip(self.params, case.params, strict=True):
            if blob.name not in self._moved:
                blob.data[...] = data  # BatchNorm changes its statistics in forward
        self.context.rng = Stream(case.seed, case.layer.name, case.iteration)
        case.layer.forward(self.context, self.bottoms, self.params, self.tops)
        return float(sum((t.data * d).sum() for t, d in zip(self.tops, case.top_diffs, strict=True)))

    _moved: frozenset[str] = frozenset()

    def gradients(self) -> dict[str, tuple[Blob, Array]]:
        """What -> (the blob to move, backward's gradient by it)."""
        self.value()
        for blob, diff in zip(self.tops, self.case.top_diffs, strict=True):
            blob.diff[...] = diff
        for blob in self.params:
            blob.diff[...] = 0
        self.case.layer.backward(self.context, self.tops, self.params, self.bottoms, self.case.need)
        found = {}
        for i, (blob, wanted) in enumerate(zip(self.bottoms, self.case.need.bottoms, strict=True)):
            if wanted:
                found[f"bottom {i}"] = (blob, blob.diff.copy())
        for i, (blob, wanted) in enumerate(zip(self.params, self.case.need.params, strict=True)):
            if wanted:
                found[f"param {i} ({self.inferred.params[i].name})"] = (blob, blob.diff.copy())
        return found

    def mover(self, blob: Blob, index: int) -> Callable[[float], float]:
        """The value with one number of a blob moved."""
        def moved(amount: float) -> float:
            flat = blob.data.reshape(-1)
            old = flat[index]
            flat[index] = old + amount
            self._moved = frozenset({blob.name})
            try:
                return self.value()
            finally:
                self._moved = frozenset()
                flat[index] = old

        return moved


def wrong_gradients(case: Case, samples: int = 500, tolerance: float = 1e-4, span: Span | None = None) -> list[Wrong]:
    """The gradients of one layer that disagree with differences; ``samples`` coordinates each (all of a small array)."""
    runner = Runner(case)
    found = []
    for what, (blob, analytic) in runner.gradients().items():
        wrong = _compare(runner, what, blob, analytic, samples, tolerance, span)
        if wrong is not None:
            found.append(wrong)
    return found


def smallest(case: Case, samples: int, tolerance: float) -> Case:
    """The case with one item of the batch, if that still fails; else the case."""
    n = case.bottoms[0].shape[0] if case.bottoms and case.bottoms[0].ndim else 0
    if n < 2:
        return case
    same = all(a.ndim and a.shape[0] == n for a in (*case.bottoms, *(t for t in case.top_diffs if t.ndim)))
    if not same:
        return case
    one = replace(case, bottoms=tuple(a[:1].copy() for a in case.bottoms),
                  top_diffs=tuple(a[:1].copy() if a.ndim else a for a in case.top_diffs))
    try:
        return one if wrong_gradients(one, samples, tolerance) else case
    except Exception:  # a layer may need more than one item; then the whole batch is the smallest case
        return case


def _compare(runner: Runner, what: str, blob: Blob, analytic: Array, samples: int, tolerance: float,
             span: Span | None) -> Wrong | None:
    case, flat = runner.case, analytic.reshape(-1)
    centre = runner.value()
    values = blob.data.reshape(-1).copy()
    numeric = np.full(flat.size, np.nan)
    floor = max(1e-3 * float(np.abs(np.nan_to_num(flat)).max(initial=0)), 1e-7)
    worst, at = 0.0, None
    for index in _indices(flat, samples, case.seed, f"{case.layer.name}/{what}"):
        found = slope(runner.mover(blob, index), centre, abs(float(values[index])), tolerance, floor)
        if found is None:
            continue
        numeric[index] = found.value
        if not found.agrees(float(flat[index]), tolerance, floor):
            error = abs(float(flat[index]) - found.value)
            if at is None or not error <= worst:
                worst, at = error, index
    if at is None:
        return None
    upstream = case.top_diffs[0] if len(case.top_diffs) == 1 else None
    batch = case.bottoms[0].shape[0] if case.bottoms and case.bottoms[0].ndim else 1
    mistake = recognise(analytic, numeric.reshape(analytic.shape), upstream, batch)
    return Wrong(case.layer.name, case.layer.type, what, index_of(at, blob.shape), float(flat[at]), float(numeric[at]),
                 mistake, span)


def _indices(flat: Array, samples: int, seed: int, name: str) -> Sequence[int]:
    if flat.size <= samples:
        return range(flat.size)
    order = Stream(seed, f"check/sample/{name}").permutation(flat.size)
    largest = int(np.abs(np.nan_to_num(flat)).argmax())
    return list(dict.fromkeys([largest, *(int(i) for i in order[:samples])]))[:samples]


def _blob(name: str, array: Array) -> Blob:
    blob = Blob(name, array.shape, "float64")
    blob.data[...] = array
    return blob


def _arrays(specs: Any) -> dict[str, Array]:
    return {name: np.zeros(a.shape, "float64" if a.dtype == "real" else a.dtype) for name, a in specs.items()}
