"""Reach: which layers lie directly or anywhere below and above a layer in a plan."""
from __future__ import annotations

from collections.abc import Callable

from netdef.graph.model import GraphPlan, LayerNode


def made_by(plan: GraphPlan, node: LayerNode, bottom: int) -> int | None:
    """Index of the layer that makes a bottom."""
    value = node.bottoms[bottom] if bottom < len(node.bottoms) else None
    return None if value is None else plan.description.values[value].maker


def below(plan: GraphPlan, layer: int) -> list[int]:
    """The layers that make a layer's bottoms, each once, in the bottoms' order."""
    node = plan.description.layers[layer]
    makers = [made_by(plan, node, i) for i in range(len(node.bottoms))]
    return list(dict.fromkeys(m for m in makers if m is not None))


def above(plan: GraphPlan, layer: int) -> list[int]:
    """The layers that read a layer's tops, each once, in file order."""
    tops = plan.description.layers[layer].tops
    return sorted({reader for top in tops for reader, _ in plan.description.values[top].readers})


def all_above(plan: GraphPlan, layer: int) -> list[int]:
    """Every layer that a layer's output reaches, in file order."""
    return _closure(plan, layer, above)


def all_below(plan: GraphPlan, layer: int) -> list[int]:
    """Every layer that a layer depends on, in file order."""
    return _closure(plan, layer, below)


def _closure(plan: GraphPlan, layer: int, step: Callable[[GraphPlan, int], list[int]]) -> list[int]:
    seen: set[int] = set()
    front = [layer]
    while front:
        for other in step(plan, front.pop()):
            if other not in seen:
                seen.add(other)
                front.append(other)
    return sorted(seen)
