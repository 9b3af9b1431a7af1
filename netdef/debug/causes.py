"""Causes: from a value that is not finite, or a loss at its clamp, back to what brought it about."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from netdef.debug.bad import Bad
from netdef.debug.finding import Finding, Link
from netdef.debug.history import History, Runaway
from netdef.debug.look import owned, param_name
from netdef.errors import Span
from netdef.runtime.executor import RunStep
from netdef.runtime.watch import rms
from netdef.solvers.solver import Solver

MODERATE = 1e6  # below this no product of float32 values overflows by itself
LARGE_DATA = 1e3
LARGE_GAIN = 30.0  # how much larger than its input a layer with usual weights never is
EXP_LIMIT = 80.0  # exp of more than 88 is no float32


@dataclass
class Case:
    """What is known of a run when something was seen: its solver, the looks so far, and the iteration.

    ``fresh``: nothing was updated yet. ``loaded``: params came from a file.
    """

    solver: Solver
    history: History
    iteration: int
    fresh: bool
    loaded: bool = False

    def explain(self, bad: Bad) -> Finding:
        """The finding for a value that is not finite."""
        what = f"iteration {self.iteration}: {_DOING[bad.kind]}: {bad.run.node.who}: {bad}"
        if bad.items and bad.total > 1:
            rest = "" if len(bad.items) == 1 else f" and {len(bad.items) - 1} more of {bad.total}"
            what += f", item {bad.item} of the batch{rest}"
        found = {"data": self._data, "param": self._param, "update": self._update}.get(bad.kind, self._arithmetic)(bad)
        chain = (Link("these values the layer has just made", bad.run.node.located.span), *found.chain)
        return _with(found, what=what, iteration=self.iteration, chain=chain, item=found.item or bad.item)

    def clamped(self, run: RunStep, loss: float) -> Finding:
        """The finding for a softmax loss at or near the number where the logarithm is cut off."""
        scores = run.bottoms[0]
        what = (f"iteration {self.iteration}: {run.node.who}: the loss is {loss:g}; 87.3365 is the most it can show, "
                "for the right class has probability 0")
        chain = [Link(f"its scores '{scores.name}' reach {float(np.abs(scores.data).max(initial=0)):.3g}, so that the "
                      "softmax is 0 or 1", run.node.located.span_of("bottom", 0))]
        found = self.runaway() or self.oversized() or Finding(
            "", "unknown", run.name, scores.name, span=run.node.located.span,
            suggestion="look at the scores: `netdef grads SOLVER --show LAYER`")
        return _with(found, what=what, iteration=self.iteration, chain=(*chain, *found.chain))

    # kinds ----------------------------------------------------------------------------------------------------

    def _data(self, bad: Bad) -> Finding:
        record = bad.run.layer.record_at(bad.item) if bad.item is not None else None
        span = bad.run.node.spec.option_span("source")
        if bad.total and len(bad.items) == bad.total:
            return Finding("", "bad record", bad.run.name, bad.blob, record=record, span=span,
                           chain=(Link("every item of the batch has such values"),),
                           suggestion="look at the source, and at scale and mean in transform_param")
        place = f"record {record} of its source" if record is not None else f"item {bad.item} of the batch"
        return Finding("", "bad record", bad.run.name, bad.blob, record=record, span=span,
                       chain=(Link(f"{place} holds it"),), suggestion=f"repair or remove {place}")

    def _param(self, bad: Bad) -> Finding:
        if self.fresh and self.loaded:
            return Finding("", "weights file", bad.run.name, bad.blob, span=bad.run.node.located.span,
                           chain=(Link("it was so when it was loaded, before the first pass"),),
                           suggestion="take an earlier snapshot, or train this layer anew under another name")
        if self.fresh:
            return self._filler(bad.run, bad.number, "the filler made it so")
        return self.runaway() or Finding(
            "", "learning rate", bad.run.name, bad.blob, span=self._rate_span(),
            chain=(Link("an earlier update made it so"),),
            suggestion="replay it: `netdef blame SOLVER` stops at the first bad value")

    def _update(self, bad: Bad) -> Finding:
        rule, p = self.solver.update.rule.type, self.solver.param
        if rule in ("AdaGrad", "RMSProp", "AdaDelta", "Adam") and p.delta == 0:
            return Finding("", "division by zero", bad.run.name, bad.blob, span=self.solver.located.span_of("delta"),
                           chain=(Link(f"{rule} divides by the root of a running mean of squared gradients, which is 0 "
                                       "here, plus delta, which is 0 too"),),
                           suggestion="give delta a small value such as 1e-8")
        return self.runaway() or Finding(
            "", "learning rate", bad.run.name, bad.blob, span=self._rate_span(),
            chain=(Link(f"its gradient was finite, with root mean square {rms(bad.run.params[bad.number].diff):.3g}"),),
            suggestion="a smaller base_lr, or clip_gradients")

    def _arithmetic(self, bad: Bad) -> Finding:
        """forward and backward: what the layer was given was finite, what it made was not."""
        largest = max((float(np.abs(b.data).max(initial=0)) for b in (*bad.run.bottoms, *bad.run.params)), default=0.0)
        given = Link(f"its bottoms and params were finite, at most {largest:.3g}")
        found = self._at_index(bad) if largest < MODERATE else None
        found = found or self.runaway() or self.oversized()
        if found is None and largest > EXP_LIMIT:
            found = Finding("", "overflow", bad.run.name, bad.blob, span=bad.run.node.located.span,
                            suggestion="keep its inputs small: scale the data, or normalise before this layer")
        found = found or Finding("", "layer", bad.run.name, bad.blob, span=bad.run.node.located.span,
                                 suggestion="`netdef check NET` compares the layer with central differences")
        return _with(found, chain=(given, *found.chain))

    def _at_index(self, bad: Bad) -> Finding | None:
        """Element by element: was the number that went in one that has no quotient, logarithm or exponential?"""
        node = bad.run.node
        arrays = [(i, b.name, b.data) for i, b in enumerate(bad.run.bottoms)]
        where = bad.index
        for i, name, data in arrays:
            span = node.located.span_of("bottom", i)
            if bad.kind == "backward" and bad.blob.endswith("]"):  # a param's gradient has no place in a bottom
                continue
            value = _value_at(data, where) if where or i == 0 else None  # a label may well be 0
            if value is None:
                continue
            text = f"'{name}' is {value:g} there"
            if value == 0:
                return Finding("", "division by zero", node.name, name, span=span, item=bad.item, chain=(Link(text, span),),
                               suggestion="a division by it, or a logarithm of it, needs a small constant added")
            if value < 0 and (math.isnan(bad.value) or bad.kind == "backward"):
                return Finding("", "domain", node.name, name, span=span, item=bad.item, chain=(Link(text, span),),
                               suggestion="a logarithm or root needs numbers above 0: clip or shift the input")
            if value > EXP_LIMIT:
                return Finding("", "overflow", node.name, name, span=span, item=bad.item, chain=(Link(text, span),),
                               suggestion="an exponential of more than 88 is no float32: scale the input down")
        return None

    # causes that lie further back -----------------------------------------------------------------------------

    def runaway(self) -> Finding | None:
        """Params that ran away: the learning rate, an lr_mult, or the momentum."""
        net = self.solver.net
        params = {p.id: p for p in owned(net)}
        found = self.history.runaway({i: rms(net.param_blobs[i].data) for i in params})
        if found is None:
            return None
        param = params[found.param]
        layer, name = net.plan.description.layers[param.layer], param_name(net, param)
        return Finding("", "learning rate", layer.name, name, span=self._guilty(found), chain=(
            Link(f"'{name}' grew from {found.first:.3g} to {found.last:.3g} (root mean square) since iteration "
                 f"{self.history.iterations[0]}; one update was {found.leap:.3g} times its size (0.001 is usual)",
                 layer.located.span),
            Link(f"the learning rate is {self.solver.lr:g}"
                 + (f", times lr_mult {param.lr_mult:g}" if param.lr_mult != 1 else ""), self._guilty(found))),
            suggestion=self._slower(found))

    def _guilty(self, found: Runaway) -> Span:
        param = self.solver.net.plan.params[found.param]
        layer = self.solver.net.plan.description.layers[param.layer]
        if abs(param.lr_mult) >= 10:
            return layer.located.span_of("param", param.index, "lr_mult")
        if self.solver.param.momentum >= 1:
            return self.solver.located.span_of("momentum")
        if self.solver.lr > 10 * self.solver.param.base_lr:
            return self.solver.located.span_of("lr_policy")
        return self._rate_span()

    def _slower(self, found: Runaway) -> str:
        param = self.solver.net.plan.params[found.param]
        if abs(param.lr_mult) >= 10:
            return f"an lr_mult of 1 or 2 instead of {param.lr_mult:g}"
        if self.solver.param.momentum >= 1:
            return "a momentum below 1, such as 0.9"
        leap = found.leap if math.isfinite(found.leap) and found.leap > 0.1 else 1.0
        slower = float(f"{self.solver.param.base_lr * 0.01 / leap:.0e}")  # an update of a hundredth, one digit
        text = f"a base_lr of {slower:g} or so, or clip_gradients"
        large = self._largest_data()
        return text + (f", or smaller data ('{large[0].name}' makes numbers around {large[1]:.3g})" if large[1] > 30
                       else "")

    def oversized(self) -> Finding | None:
        """Before anything was learned: data or weights that are too large."""
        run, size = self._largest_data()
        if size >= LARGE_DATA:
            return Finding("", "data scale", run.name, run.tops[0].name, span=run.node.located.span_of("transform_param"),
                           chain=(Link(f"layer '{run.name}' makes numbers around {size:.3g}", run.node.located.span),),
                           suggestion="bring the data to about 1, with scale in transform_param")
        gains = [(gain, r) for r in self.solver.net.steps if (gain := _gain(r)) >= LARGE_GAIN]
        if not gains:
            return None
        gain, run = max(gains, key=lambda g: g[0])
        return self._filler(run, 0, f"layer '{run.name}' makes its output {gain:.3g} times as large as its input")

    def _largest_data(self) -> tuple[RunStep, float]:
        """The data layer whose first top is largest, and its root mean square."""
        sources = [r for r in self.solver.net.steps if not r.bottoms and r.tops]
        sized: list[tuple[RunStep, float]] = [(r, rms(r.tops[0].data)) for r in sources]
        finite = [s for s in sized if math.isfinite(s[1])]
        key: Callable[[tuple[RunStep, float]], float] = lambda s: s[1]  # noqa: E731
        return max(finite, key=key) if finite else (self.solver.net.steps[0], 0.0)

    def _filler(self, run: RunStep, number: int, text: str) -> Finding:
        option = run.step.inferred.params[number].option
        span = run.node.spec.option_span(option)
        size = rms(run.params[number].data)
        return Finding("", "filler", run.name, f"{run.name}[{number}]", span=span, chain=(
            Link(f"{text}; its {run.step.inferred.params[number].name} begin at {size:.3g} (root mean square)", span),),
            suggestion="a filler that suits the layer's size, such as xavier or msra")

    def _rate_span(self) -> Span:
        return self.solver.located.span_of("base_lr")


_DOING = {"param": "before the pass", "data": "data", "forward": "forward", "backward": "backward",
          "update": "update"}


def _value_at(data: np.ndarray, index: tuple[int, ...]) -> float | None:
    """A bottom's number at the place of the bad one; for a bottom of another shape 0 where the item is all zero."""
    if index and len(index) <= data.ndim and all(i < n for i, n in zip(index, data.shape, strict=False)):
        if len(index) == data.ndim:
            return float(data[index])
        return 0.0 if not data[index[0]].any() else None
    if not index and data.size:  # a loss: the smallest input is the one without a logarithm
        smallest = float(data.min())
        return smallest if data.dtype.kind == "f" and smallest == 0 else None
    return None


def _gain(run: RunStep) -> float:
    """How many times as large as its first bottom a layer with filled weights makes its top; 0 for other layers."""
    filled = bool(run.params) and run.step.inferred.params[0].option == "weight_filler"
    if not filled or not run.bottoms or run.bottoms[0] is run.tops[0]:
        return 0.0
    before, after = rms(run.bottoms[0].data), rms(run.tops[0].data)
    return after / before if before > 0 and math.isfinite(after) and math.isfinite(before) else 0.0


def _with(finding: Finding, **changes: object) -> Finding:
    from dataclasses import replace

    return replace(finding, **changes)  # type: ignore[arg-type]
