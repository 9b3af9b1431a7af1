"""Two recordings side by side: the first layer that differs, and by how much."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdef.debug.recording import Recording
from netdef.graph.model import GraphPlan


@dataclass(frozen=True)
class Difference:
    """One array that differs: by how much at most, relative to its largest value, and where."""

    layer: str
    what: str
    relative: float
    where: tuple[int, ...] = ()
    mine: float = 0.0
    theirs: float = 0.0
    note: str = ""

    def __str__(self) -> str:
        if self.note:
            return f"{self.layer}: {self.what}: {self.note}"
        return (f"{self.layer}: {self.what} differs by {self.relative:.3g} of its largest value, "
                f"at {list(self.where)}: {self.mine:.6g} here, {self.theirs:.6g} there")


def differences(plan: GraphPlan, mine: Recording, theirs: Recording, tolerance: float = 1e-6) -> list[Difference]:
    """What differs by more than ``tolerance`` of the larger recording's largest value, in the order in which it was
    computed: params and data forward, then gradients backward. So the first one is where they part."""
    found = []
    for layer, key in order(plan):
        difference = _compare(layer, key, mine.arrays.get(key), theirs.arrays.get(key), tolerance)
        if difference is not None:
            found.append(difference)
    return found


def order(plan: GraphPlan) -> list[tuple[str, str]]:
    """(layer, key) of every array in the order of computation."""
    forward: list[tuple[str, str]] = []
    backward: list[tuple[str, str]] = []
    for step in plan.steps:
        name = step.node.name
        params = [f"param/{name}/{plan.params[p].index}" for p in step.params]
        forward += [(name, f"{key}/data") for key in params]
        forward += [(name, f"blob/{plan.description.value_name(t)}/data") for t in step.node.tops]
    for step in reversed(plan.steps):
        name = step.node.name
        backward += [(name, f"blob/{plan.description.value_name(t)}/diff") for t in step.node.tops]
        backward += [(name, f"param/{name}/{plan.params[p].index}/diff") for p in step.params]
    last = {key: (layer, key) for layer, key in forward}  # an in-place blob counts where it is made last
    return list(dict.fromkeys([last[key] for _, key in forward] + backward))


def _compare(layer: str, key: str, mine: np.ndarray | None, theirs: np.ndarray | None,
             tolerance: float) -> Difference | None:
    what = key.replace("/", " ").replace("diff", "gradient")
    if mine is None and theirs is None:
        return None
    if mine is None or theirs is None:
        return Difference(layer, what, np.inf, note=f"recorded only {'there' if mine is None else 'here'}")
    if mine.shape != theirs.shape:
        return Difference(layer, what, np.inf, note=f"shape {mine.shape} here, {theirs.shape} there")
    a, b = mine.astype(np.float64), theirs.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return None
    finite = np.concatenate([np.abs(x[np.isfinite(x)]).reshape(-1) for x in (a, b)])
    scale = float(finite.max(initial=0)) or 1.0
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0.0, np.abs(a - b) / scale)
    error = np.where(np.isfinite(error), error, np.inf)
    index = np.unravel_index(int(error.argmax()), error.shape) if error.ndim else ()
    worst = float(error[index])
    if worst <= tolerance:
        return None
    return Difference(layer, what, worst, tuple(int(i) for i in index), float(a[index]), float(b[index]))
