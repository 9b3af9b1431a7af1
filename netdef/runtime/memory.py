"""Which blobs a net needs until when: for nets that keep only their inputs and outputs."""
from __future__ import annotations

from collections.abc import Mapping

from netdef.blob import Blob
from netdef.graph.model import GraphPlan


def kept_names(plan: GraphPlan) -> set[str]:
    """Blobs whose values stay after a pass with ``keep="outputs"``: outputs, losses, and what layers without bottoms
    make (inputs stay until the user changes them)."""
    d = plan.description
    sources = {v.blob for v in d.values if not d.layers[v.maker].bottoms}
    losses = {d.value_name(v) for v in plan.losses}
    return {n for n in sources | losses | set(d.outputs) if n in {v.blob for v in d.values if not v.automatic}}


def last_uses(plan: GraphPlan, blobs: Mapping[int, Blob]) -> dict[int, list[Blob]]:
    """Layer index -> the blobs that no later layer touches and that are not kept."""
    kept = kept_names(plan)
    last: dict[int, int] = {}
    which: dict[int, Blob] = {}
    for value in plan.description.values:
        if value.blob in kept or value.automatic:
            continue
        blob = blobs[value.id]
        which[id(blob)] = blob
        uses = [value.maker, *(layer for layer, _ in value.readers)]
        last[id(blob)] = max([last.get(id(blob), 0), *uses])
    found: dict[int, list[Blob]] = {}
    for key, layer in last.items():
        found.setdefault(layer, []).append(which[key])
    return found
