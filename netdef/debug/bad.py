"""Bad: the first value of a run that is not finite, found while it runs or afterwards."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from netdef.blob import Blob
from netdef.debug.reach import all_below
from netdef.runtime.executor import RunStep
from netdef.runtime.net import Net
from netdef.runtime.watch import first_non_finite


@dataclass(frozen=True)
class Bad:
    """One value that is not finite.

    ``kind``: "param" (it was so before the pass), "data" (made by a layer without bottoms), "forward", "backward" or
    "update". ``number`` is the top's, bottom's or param's; ``blob`` its name, a param as ``ip1[0]``. ``diff``: in the
    gradient. ``index`` is the first bad one, ``share`` how many of the values are bad, ``items`` the items of a batch
    that have some (empty for params).
    """

    kind: str
    run: RunStep
    number: int
    blob: str
    diff: bool
    index: tuple[int, ...]
    value: float
    share: float
    items: tuple[int, ...] = ()
    total: int = 0  # items in the batch

    @property
    def item(self) -> int | None:
        """The first bad item of the batch."""
        return self.items[0] if self.items else None

    def __str__(self) -> str:
        what = "the gradient of " if self.diff else ""
        many = f" ({_percent(self.share)} of its values are not finite)" if self.share > 0 else ""
        place = f"{list(self.index)} " if self.index else ""
        return f"{what}'{self.blob}' {place}is {self.value:g}{many}"


def bad_top(run: RunStep) -> Bad | None:
    """The first bad value among a layer's tops."""
    kind = "forward" if run.bottoms else "data"
    return _first(kind, run, [(i, _name(run.tops[i]), run.tops[i].data) for i in range(len(run.tops))], False, True)


def bad_gradient(run: RunStep) -> Bad | None:
    """The first bad value among the gradients that a layer's backward has just made."""
    bottoms = [(i, _name(b), b.diff) for i, (b, need) in enumerate(zip(run.bottoms, run.need.bottoms, strict=True))
               if need]
    found = _first("backward", run, bottoms, True, True)
    if found is not None:
        return found
    params = [(i, f"{run.name}[{i}]", p.diff) for i, (p, need) in enumerate(zip(run.params, run.need.params,
                                                                                strict=True)) if need]
    return _first("backward", run, params, True, False)


def bad_param(net: Net, kind: str = "param") -> Bad | None:
    """The first bad value among the params."""
    for run in net.steps:
        found = _first(kind, run, [(i, f"{run.name}[{i}]", p.data) for i, p in enumerate(run.params)], False, False)
        if found is not None:
            return found
    return None


def matter(net: Net) -> set[int]:
    """The layers that a loss depends on, the losses too: what a mere metric makes spoils nothing. All without a loss."""
    losses = {net.plan.description.values[v].maker for v in net.plan.losses}
    found = losses | {i for loss in losses for i in all_below(net.plan, loss)}
    return found or set(range(len(net.steps)))


def find_bad(net: Net) -> Bad | None:
    """The first bad value in the order of computation, as the last pass has left it: params, data, then gradients."""
    found = bad_param(net)
    wanted = matter(net)
    for run in net.steps:
        if run.node.index in wanted:
            found = found or bad_top(run)
    for index in net.plan.backward_order:
        found = found or bad_gradient(net.steps[index])
    return found


def _first(kind: str, run: RunStep, arrays: list[tuple[int, str, Any]], diff: bool, batched: bool) -> Bad | None:
    for number, name, array in arrays:
        index = first_non_finite(array)
        if index is None:
            continue
        bad = ~np.isfinite(array)
        items: tuple[int, ...] = ()
        if batched and array.ndim:
            items = tuple(int(i) for i in np.flatnonzero(bad.reshape(len(array), -1).any(axis=1)))
        return Bad(kind, run, number, name, diff, index, float(array[index]), float(bad.mean()), items,
                   len(array) if items else 0)
    return None


def _name(blob: Blob) -> str:
    return "loss" if blob.name.startswith("(") else blob.name


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
