"""The table of `netdef grads`: one row a blob and param, layers in backward order."""
from __future__ import annotations

import numpy as np

from netdef.debug.recording import Recording
from netdef.graph.model import GraphPlan, Step
from netdef.graph.render import table
from netdef.runtime.watch import Stats, statistics

HEAD = ("layer", "what", "mean|x|", "max|x|", "L2", "zero", "bad", "mean|g|", "max|g|", "L2 g", "zero g", "bad g",
        "update/weight")


def gradient_table(plan: GraphPlan, recording: Recording) -> str:
    """Statistics of data (x) and gradient (g) for every layer, the last layer first.

    ``zero`` and ``bad`` are the shares of zeros and of values that are not finite; ``update/weight`` is the L2 norm
    of what a solver's step subtracted over that of the weight (about 0.001 is healthy), ``-`` without a solver.
    """
    rows: list[tuple[str, ...]] = []
    for step in reversed(plan.steps):
        rows += _rows(plan, step, recording)
    head = f"iteration {recording.iteration}, loss {recording.loss:.6g}\n\n"
    return head + table(rows, HEAD, range(2, len(HEAD)))


def _rows(plan: GraphPlan, step: Step, recording: Recording) -> list[tuple[str, ...]]:
    rows = []
    for value in step.node.tops:
        name = plan.description.value_name(value)
        if f"blob/{name}/data" in recording.arrays:
            label = f"top {name}" + (" (in place)" if plan.description.values[value].replaces is not None else "")
            rows.append((step.node.name, label, *_numbers(recording, f"blob/{name}"), "-"))
    for p in step.params:
        param = plan.params[p]
        key = f"param/{step.node.name}/{param.index}"
        if f"{key}/data" not in recording.arrays:
            continue
        rows.append((step.node.name, f"param {param.index} {param.init.name}", *_numbers(recording, key),
                     _relative_update(recording, key)))
    return rows


def _numbers(recording: Recording, key: str) -> tuple[str, ...]:
    data = _cells(statistics(recording.arrays[f"{key}/data"]))
    diff = recording.arrays.get(f"{key}/diff")
    return (*data, *(_cells(statistics(diff)) if diff is not None else ("-",) * 5))


def _cells(s: Stats) -> tuple[str, ...]:
    return (f"{s.mean_abs:.3g}", f"{s.max_abs:.3g}", f"{s.l2:.3g}", f"{s.zeros:.0%}",
            "-" if s.non_finite == 0 else f"{s.non_finite:.2%}")


def _relative_update(recording: Recording, key: str) -> str:
    update = recording.arrays.get(f"{key}/update")
    if update is None:
        return "-"
    weight = float(np.linalg.norm(recording.arrays[f"{key}/data"].astype(np.float64)))
    step = float(np.linalg.norm(update.astype(np.float64)))
    return f"{step / weight:.3g}" if weight > 0 else ("0" if step == 0 else "from 0")
