"""The learning-rate finder: raise the rate from iteration to iteration, watch the loss, and suggest a base_lr.

The range test of L. N. Smith, "Cyclical learning rates for training neural networks" (2017), with the rate rising
exponentially. While the rate is too small the loss stands still, then it falls, then it grows as training diverges. A good
base_lr lies where the loss falls fastest against log(rate), or some way below the rate of the smallest loss.
"""
from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from netdef.errors import SolverError
from netdef.solvers.evaluate import quiet
from netdef.solvers.solver import Solver

BELOW = 10.0  # the cautious choice lies this factor below the rate of the smallest loss
_DIVERGED = 3.0  # how far above its best value the running mean of the loss may rise, in units of that value
_KEPT = 0.9  # share of the running mean that stays in each iteration
_FEWEST = 5  # iterations before it is asked whether training diverges
_FALL = 0.02  # share of the first loss by which it must fall, or nothing is suggested
_POLICIES = {
    "fixed": "lr_policy fixed keeps base_lr all the way",
    "sigmoid": "lr_policy sigmoid rises to base_lr, so it is the largest rate of the run",
}


@dataclass(frozen=True)
class Found:
    """What a range test saw.

    ``rates`` and ``losses`` are those of each iteration, ``smooth`` the centred mean of the losses over a tenth of them.
    ``steepest`` is the rate where ``smooth`` falls fastest, ``smallest`` that where it is smallest; both None where the
    loss did not fall. ``diverged``: whether the loss went up again so far that the test ended early.
    """

    rates: list[float]
    losses: list[float]
    smooth: list[float]
    steepest: float | None
    smallest: float | None
    diverged: bool

    @property
    def suggestion(self) -> float | None:
        """The base_lr to begin with: the steepest rate, or a tenth of that of the smallest loss where this is less,
        rounded to two digits; None where the loss did not fall."""
        if self.steepest is None or self.smallest is None:
            return None
        return float(f"{min(self.steepest, self.smallest / BELOW):.1e}")


def find_lr(solver: Solver, low: float = 1e-6, high: float = 10.0, iterations: int = 100,
            tell: Callable[[int, float, float], None] = lambda i, rate, loss: None) -> Found:
    """Train ``iterations`` updates with rates from ``low`` to ``high``, each by the same factor above the one before, and
    put everything back: params, histories, gradients, data position. Nothing is tested, displayed or saved.

    Rule, momentum, decay, clipping and iter_size are the solver's; its policy and warm-up do not count. Ends early when
    the loss is not finite or its running mean has risen far above its best value. The same seed gives the same result.
    ``tell(i, rate, loss)`` is called in each iteration, before the update. Raises SolverError for a range that is none.

    >>> found = find_lr(netdef.Solver("configs/logreg/solver.yaml", seed=1))    # doctest: +SKIP
    >>> found.suggestion                                                        # doctest: +SKIP
    """
    if not (0 < low < high < math.inf and iterations >= 10):
        raise SolverError(f"expected 0 < low < high and at least 10 iterations, got {low:g}, {high:g} and {iterations}")
    rates: list[float] = []
    losses: list[float] = []
    mean, best, diverged = 0.0, math.inf, False
    with _put_back(solver), quiet():
        for i in range(iterations):
            rates.append(low * (high / low) ** (i / (iterations - 1)))
            losses.append(_gradients(solver))
            tell(i, rates[-1], losses[-1])
            mean = _KEPT * mean + (1 - _KEPT) * losses[-1]
            shown = mean / (1 - _KEPT ** (i + 1))
            best = min(best, shown)
            far = i >= _FEWEST and shown - best > max(_DIVERGED * abs(best), losses[0] - best)
            if far or not math.isfinite(shown):
                diverged = True
                break
            solver.update.apply(rates[-1], solver.iter + i)
    return _judge(rates, losses, diverged)


def _gradients(solver: Solver) -> float:
    """The passes of one iteration; the mean loss."""
    solver.net.clear_param_diffs()
    loss = 0.0
    for _ in range(solver.param.iter_size):
        solver.net.forward()
        loss += solver.net.loss
        solver.net.backward()
    return loss / int(solver.param.iter_size)


@contextmanager
def _put_back(solver: Solver) -> Iterator[None]:
    """Leave the solver as it was, whatever happens in the block."""
    arrays = [*(blob.data for blob in solver.net.param_blobs), *solver.update.rule.history]
    kept, state = [array.copy() for array in arrays], copy.deepcopy(solver.net.state())
    try:
        yield
    finally:
        for array, before in zip(arrays, kept, strict=True):
            np.copyto(array, before)
        solver.net.set_state(state)
        solver.net.clear_param_diffs()


def _judge(rates: list[float], losses: list[float], diverged: bool) -> Found:
    finite = [loss for loss in losses if math.isfinite(loss)]
    smooth = _smoothed(finite)
    at = int(np.argmin(smooth)) if smooth else 0
    if not smooth or smooth[0] - smooth[at] <= _FALL * abs(smooth[0]):
        return Found(rates, losses, smooth, None, None, diverged)
    slopes = np.gradient(np.array(smooth[: at + 1]))  # the rates rise evenly on a logarithmic scale
    return Found(rates, losses, smooth, rates[int(np.argmin(slopes))], rates[at], diverged)


def _smoothed(losses: list[float]) -> list[float]:
    """The mean of each loss and its neighbours, a tenth of all; as many on either side, so that nothing is shifted."""
    reach = max(1, len(losses) // 20)
    return [float(np.mean(losses[i - r: i + r + 1])) for i in range(len(losses))
            for r in [min(reach, i, len(losses) - 1 - i)]]


def advice(solver: Solver, found: Found) -> list[str]:
    """What a range test means for this solver, in sentences: the suggestion, why, and how the policy uses it."""
    p = solver.param
    if found.suggestion is None:
        return [f"the loss did not fall between rates {found.rates[0]:.2g} and {found.rates[-1]:.2g}: nothing to suggest",
                "try other rates with --lr-range, or ask `netdef train --overfit-batch` whether the net can learn at all"]
    assert found.steepest is not None and found.smallest is not None
    lines = [f"the loss falls fastest at {found.steepest:.2g} and is smallest at {found.smallest:.2g}"
             + (", then it diverges" if found.diverged else "")]
    if not found.diverged:
        lines.append("even the largest rate did not make it diverge: a higher end in --lr-range may show more")
    which = ("the rate where it falls fastest" if found.steepest <= found.smallest / BELOW
             else f"{BELOW:g} times below the rate of the smallest loss")
    lines.append(f"suggested base_lr: {found.suggestion:g} ({which}; the solver has {p.base_lr:g})")
    lines.append(_POLICIES.get(p.lr_policy, f"lr_policy {p.lr_policy} begins with base_lr and goes down from it"))
    if p.warmup_iter:
        lines.append(f"with the warm-up of {p.warmup_iter} iterations, base_lr is what it rises to; it allows a larger one, "
                     "up to the rate where the loss falls fastest" if found.steepest > found.suggestion else
                     f"with the warm-up of {p.warmup_iter} iterations, base_lr is what it rises to")
    lines.append("look again after a change of batch_size, iter_size, momentum, type or weights")
    return lines
