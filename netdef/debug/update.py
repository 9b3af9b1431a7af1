"""One update taken apart: how much of it is gradient, decay and momentum, and what lr_mult did."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdef.errors import NetdefError, did_you_mean
from netdef.graph.render import table
from netdef.runtime.watch import statistics
from netdef.solvers import events as e
from netdef.solvers.solver import Solver

Array = np.ndarray
LINEAR = {"SGD", "Nesterov"}  # rules whose update is a sum of a gradient, a decay and a momentum part


@dataclass(frozen=True)
class ParamUpdate:
    """What one update subtracted from one param, and its parts (same shape); they add up to ``update``.

    ``gradient`` is after clipping by ``clip`` and division by iter_size. ``parts`` has ``gradient``, ``decay`` and
    ``momentum`` for SGD and Nesterov; the other rules mix them, so it has the inputs ``gradient`` and ``decay`` only.
    """

    name: str
    iteration: int
    rule: str
    rate: float
    lr_mult: float
    clip: float
    weight: Array
    update: Array
    parts: dict[str, Array]

    def __str__(self) -> str:
        linear = self.rule in LINEAR
        head = (f"{self.name}, iteration {self.iteration}, {self.rule}: rate {self.rate:.6g} = learning rate "
                f"{self.rate / self.lr_mult if self.lr_mult else 0:.6g} x lr_mult {self.lr_mult:g}"
                + (f", gradients clipped by {self.clip:.4g}" if self.clip != 1 else ""))
        rows = [self._row(("+ " if linear else "in: ") + what, part) for what, part in self.parts.items()]
        rows.append(self._row("= update" if linear else "out: update", self.update))
        rows.append(self._row("weight before", self.weight))
        return head + "\n" + table(rows, ("", "L2", "max", "L2/weight"), [1, 2, 3])

    def _row(self, what: str, array: Array) -> tuple[str, str, str, str]:
        s, weight = statistics(array), statistics(self.weight).l2
        return what, f"{s.l2:.4g}", f"{s.max_abs:.4g}", f"{s.l2 / weight:.3g}" if weight else "-"


class UpdateWatch:
    """Listens to a solver and takes apart the updates of one layer: ``solver.listen(UpdateWatch(solver, "conv1"))``.

    The updates gather in ``found``. Raises NetdefError on a layer without params.
    """

    def __init__(self, solver: Solver, layer: str) -> None:
        if layer not in solver.net.params:
            raise NetdefError(f"no layer '{layer}' with params", hint=did_you_mean(layer, solver.net.params))
        self.solver = solver
        update = solver.update
        self.ks = [k for k, p in enumerate(update.params)
                   if p.id in {solver.net.plan.params[i].owner for i in self._own(layer)}]
        self.found: list[ParamUpdate] = []
        self._before: list[tuple[Array, Array, Array]] = []
        self._clip = 1.0

    def _own(self, layer: str) -> tuple[int, ...]:
        return next(run.step.params for run in self.solver.net.steps if run.name == layer)

    def __call__(self, event: e.Event) -> None:
        """Remember before the update, compare after it."""
        update = self.solver.update
        if isinstance(event, e.GradientsReady):
            limit, norm = update.p.clip_gradients, update.norm()
            self._clip = limit / norm if 0 <= limit < norm else 1.0
            self._before = [(update.blobs[k].data.copy(), update.blobs[k].diff.copy(), update.rule.history[k].copy())
                            for k in self.ks]
        elif isinstance(event, e.Updated) and self._before:
            for k, before in zip(self.ks, self._before, strict=True):
                self.found.append(self._apart(k, *before, event))

    def _apart(self, k: int, weight: Array, diff: Array, history: Array, event: e.Updated) -> ParamUpdate:
        update, param = self.solver.update, self.solver.update.params[k]
        p, rule = update.p, update.rule.type
        rate = event.lr * param.lr_mult
        gradient = diff.astype(np.float64) * self._clip / p.iter_size
        decay = p.weight_decay * param.decay_mult * (np.sign(weight) if p.regularization_type == "L1" else weight)
        parts = {"gradient": gradient, "decay": np.asarray(decay, np.float64)}
        if rule in LINEAR:
            share = rate * (1 + p.momentum if rule == "Nesterov" else 1)
            coasting = p.momentum**2 if rule == "Nesterov" else p.momentum
            parts = {name: share * part for name, part in parts.items()}
            parts["momentum"] = coasting * history.astype(np.float64) if param.lr_mult else np.zeros_like(gradient)
        name = update.rule.names[k]
        return ParamUpdate(name, event.iter - 1, rule, rate, param.lr_mult, self._clip, weight,
                           weight - update.blobs[k].data, parts)
