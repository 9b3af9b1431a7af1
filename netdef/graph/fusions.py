"""fusions: GraphPlan -> Pieces. Which neighbouring layers run in one step; no layer knows of it.

A layer says what it can do for the layers behind it (``takes``: a Scale, a ReLU) and as what it may be taken itself
(``follows``). This file decides where that is safe: nobody else reads the blob between, the same gradients are wanted of
both, and nobody asked to see that blob. A fused step computes the very same bits as its layers one by one, so that it may
be used or not from pass to pass. The one exception, weights that take in the BatchNorm and Scale behind them, is for
frozen nets that keep only their outputs.
"""
from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from netdef.graph.model import GraphPlan, Step

ORDER = ("norm", "scale", "relu")  # as what layers may follow in one step, each at most once


@dataclass(frozen=True)
class Piece:
    """One step: the indices of its layers, and what they become together.

    ``kind`` is "" for a layer by itself, "activation" (a ReLU on what the first layer makes), "norm" (BatchNorm, then a
    Scale, a ReLU, or both) or "fold" (the layers behind a convolution are in its weights, but for a last ReLU).
    """

    layers: tuple[int, ...]
    kind: str = ""

    def name(self, plan: GraphPlan) -> str:
        """``conv1 + relu1``."""
        return " + ".join(plan.steps[i].node.name for i in self.layers)


@dataclass(frozen=True)
class Use:
    """What a net is for: ``names`` of blobs to keep beside outputs and inputs (None: all), whether backward may run, and
    whether the params are frozen."""

    names: frozenset[str] | None = None
    backward: bool = True
    frozen: bool = False

    @property
    def shares(self) -> bool:
        """Whether buffers are shared."""
        return self.names is not None


def single(plan: GraphPlan) -> tuple[Piece, ...]:
    """Every layer by itself."""
    return tuple(Piece((i,)) for i in range(len(plan.steps)))


def fuse(plan: GraphPlan, use: Use) -> tuple[Piece, ...]:
    """The steps of a net for this use, in order; every layer is in one of them."""
    kept = kept_names(plan, use)
    pieces: list[Piece] = []
    at = 0
    while at < len(plan.steps):
        piece = _from(plan, use, kept, at)
        pieces.append(piece)
        at += len(piece.layers)
    return tuple(pieces)


def kept_names(plan: GraphPlan, use: Use) -> frozenset[str]:
    """The blobs that can be looked at after a pass: all, or outputs, losses, what layers without bottoms make, and those
    that were asked for."""
    d = plan.description
    named = {v.blob for v in d.values if not v.automatic}
    if use.names is None:
        return frozenset(named)
    sources = {v.blob for v in d.values if not d.layers[v.maker].bottoms}
    losses = {d.value_name(v) for v in plan.losses}
    return frozenset((sources | losses | set(d.outputs) | use.names) & named)


def _from(plan: GraphPlan, use: Use, kept: Collection[str], first: int) -> Piece:
    """The longest step that begins with a layer."""
    head = plan.steps[first]
    layer = head.node.layer
    if layer is None or layer.dynamic or len(head.node.tops) != 1:
        return Piece((first,))
    folding = use.frozen and use.shares and layer.folds and layer.options.axis == 1
    taken, layers = 0, [first]
    for step in plan.steps[first + 1:]:
        role = step.node.layer.follows if step.node.layer is not None else ""
        if role not in ORDER[taken:] or not (role in layer.takes or (folding and role in ("norm", "scale"))):
            break
        if not _may_join(plan, use, kept, plan.steps[layers[-1]], step):
            break
        taken = ORDER.index(role) + 1
        layers.append(step.node.index)
    if layer.follows == "norm" and use.backward and head.backward:
        return Piece((first,))  # the gradient by stored statistics needs what lies between
    if layer.backward_reads & {"tops", "top signs"}:
        return Piece((first,))  # it needs what it made as it was
    return Piece(tuple(layers), _kind(plan, layers))


def _may_join(plan: GraphPlan, use: Use, kept: Collection[str], before: Step, step: Step) -> bool:
    """Whether the blob between two layers is theirs alone, and backward runs for both or neither."""
    d, node = plan.description, step.node
    between = d.values[before.node.tops[0]]
    if node.bottoms != (between.id,) or between.readers != ((node.index, 0),) or len(node.tops) != 1:
        return False
    if between.id in plan.losses or node.tops[0] in plan.losses:
        return False
    if plan.shapes.values[between.id] != plan.shapes.values[node.tops[0]]:
        return False
    in_place = d.values[node.tops[0]].replaces is not None
    if not in_place and (between.blob in kept or between.automatic):
        return False
    if not use.backward:
        return True
    return before.backward == step.backward and (not step.backward or step.need.bottoms == (True,))


def _kind(plan: GraphPlan, layers: list[int]) -> str:
    """What the layers of a step become together."""
    head, *behind = (plan.steps[i].node.layer for i in layers)
    assert head is not None
    if not behind:
        return ""
    if "scale" in head.takes:
        return "norm"
    return "activation" if [x.follows for x in behind if x is not None] == ["relu"] else "fold"
