"""How a net's memory prints: the peak for `netdef summary`, and who lies where for `netdef explain --stage plan`."""
from __future__ import annotations

import math

from netdef.graph.fusions import Use, fuse
from netdef.graph.lifetimes import Layout, Tenant, layout, settled
from netdef.graph.model import GraphPlan

KINDS = {"data": "data", "diff": "gradient", "edge": "gradient", "workspace": "workspace", "scratch": "scratch"}


def shared_use(plan: GraphPlan) -> Use:
    """What `netdef train` makes of a plan of the TRAIN phase, and `netdef test` of one of TEST."""
    train = plan.description.state.phase == "TRAIN"
    return Use(frozenset(), train, not train)


def layout_of(plan: GraphPlan, itemsize: int = 4) -> Layout | None:
    """The layout for that use; None where a shape is unknown, or known only when it has run."""
    nodes = plan.description.layers
    if None in plan.shapes.values or None in plan.shapes.inferred or any(node.layer is None for node in nodes):
        return None
    if not settled(plan):
        return None
    use = shared_use(plan)
    return layout(plan, fuse(plan, use), use, itemsize)


def param_bytes(plan: GraphPlan, itemsize: int = 4) -> tuple[int, int]:
    """Bytes of all params, and of those that learn."""
    owned = [p for p in plan.params if p.owner == p.id]
    sizes = [math.prod(p.init.shape) * itemsize for p in owned]
    return sum(sizes), sum(size for p, size in zip(owned, sizes, strict=True) if plan.steps[p.layer].backward and p.learns)


def peak_bytes(plan: GraphPlan, itemsize: int = 4, histories: int = 1) -> int | None:
    """The most memory that a net takes while it trains, or in TEST while it runs: params, gradients and ``histories`` of the
    rule (1 for SGD) in TRAIN, everything else in the layout. None where the layout is not known."""
    found = layout_of(plan, itemsize)
    if found is None:
        return None
    params, learning = param_bytes(plan, itemsize)
    train = plan.description.state.phase == "TRAIN"
    return params + (1 + histories) * learning * train + found.size + found.kept


def peak_lines(plan: GraphPlan, itemsize: int = 4) -> list[str]:
    """The peak and what it is made of."""
    found, peak = layout_of(plan, itemsize), peak_bytes(plan, itemsize)
    phase = plan.description.state.phase
    if found is None or peak is None:
        return [f"peak, {phase:9}not known before it has run"]
    params, learning = param_bytes(plan, itemsize)
    parts = [f"params {size(params)}"]
    if phase == "TRAIN":
        parts += [f"their gradients {size(learning)}", f"SGD's history {size(learning)}"]
    parts += [f"shared by activations{', gradients' if phase == 'TRAIN' else ''} and workspace {size(found.size)} "
              f"(unshared {size(found.unshared)})", f"inputs and outputs {size(found.kept)}"]
    return [f"peak, {phase:9}{size(peak)}: {', '.join(parts)}"]


def plan_lines(plan: GraphPlan) -> list[str]:
    """The fused steps, and the shared memory from place to place."""
    found = layout_of(plan)
    if found is None:
        return []
    fused = [p for p in found.pieces if p.kind]
    how = "`netdef train`" if plan.description.state.phase == "TRAIN" else "`netdef test`"
    lines = ["", f"run as one step in {how}:", *(f"  {p.name(plan)}" for p in fused)] if fused else []
    rows = [(f"{t.offset:,}", f"{t.nbytes:,}", KINDS[t.key[0]], t.name, _times(plan, t))
            for t in sorted(found.tenants, key=lambda t: (t.offset, t.busy)) if t.nbytes]
    if rows:
        from netdef.graph.render import table

        text = table(rows, ("place", "bytes", "kind", "of", "in use"), [0, 1])
        lines += ["", f"shared memory in {how}: {size(found.size)}", *(f"  {line}" for line in text.split("\n"))]
    return lines


def _times(plan: GraphPlan, tenant: Tenant) -> str:
    return ", ".join(dict.fromkeys(f"{_step(plan, begin)} .. {_step(plan, end)}" if begin != end else _step(plan, begin)
                                   for begin, end in tenant.busy))


def _step(plan: GraphPlan, time: int) -> str:
    n = len(plan.steps)
    if time == 2 * n:
        return "the end"
    return plan.steps[time].node.name if time < n else f"{plan.steps[2 * n - 1 - time].node.name} (backward)"


def size(n: float) -> str:
    """``12.3 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n < 1024 or unit == "GiB":
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n}"
