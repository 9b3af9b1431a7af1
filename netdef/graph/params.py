"""Params of a net: who owns which memory, and how fast each learns."""
from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from netdef.errors import Collector, GraphError, Span
from netdef.graph.model import LayerNode, NetShapes, Param, Reason
from netdef.layers.base import ParamInit


def collect_params(shapes: NetShapes, errors: Collector) -> tuple[Param, ...]:
    """All params in net order, sharing resolved by name (``param { name: "w" }``): the first one owns the memory.

    STRICT sharing (the default) wants equal shapes, PERMISSIVE equal counts; lr_mult and decay_mult may be given
    by one side only, or be equal.
    """
    found: list[Param] = []
    owners: dict[str, int] = {}
    for node in shapes.description.layers:
        inferred = shapes.inferred[node.index]
        if inferred is not None:
            _check_number(node, len(inferred.params), errors)
        for i, init in enumerate(_without_shapes(node) if inferred is None else inferred.params):
            spec = _spec(node, i)
            lr = spec.lr_mult if spec is not None and init.learns else float(init.learns)
            decay = spec.decay_mult if spec is not None and init.learns else float(init.learns)
            span = node.located.span_of("param", i, "lr_mult") if spec is not None else None
            reason = _why(init, lr, span)
            name = spec.name if spec is not None else ""
            param = Param(len(found), node.index, i, init, len(found), name, lr, decay, lr != 0, reason)
            if name and name in owners:
                with errors:
                    owner = _shared(shapes, found[owners[name]], param, spec)
                    found[owner.id] = owner
                    param = replace(param, owner=owner.id, lr_mult=owner.lr_mult, decay_mult=owner.decay_mult)
            elif name:
                owners[name] = param.id
            found.append(param)
    return tuple(found)


def _without_shapes(node: LayerNode) -> list[ParamInit]:
    """The params of a layer whose shapes are not known: those that its type names, and those that are written."""
    if node.layer is None:
        return []
    names, kept = node.layer.param_names, node.layer.statistics
    more = range(len(names), len(node.located.message.param))
    return [ParamInit(name, (), learns=name not in kept) for name in (*names, *(f"param {i}" for i in more))]


def _why(init: ParamInit, lr: float, span: Span | None) -> Reason:
    if not init.learns:
        return Reason("never learned: the layer keeps it itself")
    return Reason("lr_mult is 0", span) if lr == 0 else Reason("learns")


def _spec(node: LayerNode, i: int) -> Any:
    written = node.located.message.param
    return written[i] if i < len(written) else None


def _check_number(node: LayerNode, n: int, errors: Collector) -> None:
    written = len(node.located.message.param)
    if written > n:
        errors.add(GraphError(f"{node.who}: has {n} param{'' if n == 1 else 's'}, but {written} param entries are "
                              "written", where=node.located.span_of("param", n)))


def _shared(shapes: NetShapes, owner: Param, param: Param, spec: Any) -> Param:
    """The owner, with the multipliers that the sharer adds; raises GraphError where the two disagree."""
    node, first = shapes.description.layers[param.layer], shapes.description.layers[owner.layer]
    span = node.located.span_of("param", param.index)
    permissive = spec.share_mode == 1
    known = None not in (shapes.inferred[param.layer], shapes.inferred[owner.layer])
    same = (math.prod(owner.init.shape) == math.prod(param.init.shape) if permissive
            else tuple(owner.init.shape) == tuple(param.init.shape))
    if known and not same:
        what = "count" if permissive else "shape"
        raise GraphError(f"{node.who}: param '{param.share_name}' has shape {tuple(param.init.shape)}, but "
                         f"{first.who} at {first.located.span} shares it with shape {tuple(owner.init.shape)}; "
                         f"the {what}s must be equal", where=span,
                         hint="" if permissive else "share_mode: PERMISSIVE asks for equal counts only")
    own_spec = _spec(first, owner.index)
    for field in ("lr_mult", "decay_mult"):
        if not spec.HasField(field):
            continue
        value = getattr(spec, field)
        if own_spec.HasField(field) and getattr(own_spec, field) != value:
            raise GraphError(f"{node.who}: param '{param.share_name}' has {field} {value:g}, but {first.who} at "
                             f"{first.located.span} shares it with {field} {getattr(own_spec, field):g}",
                             where=node.located.span_of("param", param.index, field), hint="give it once")
        owner = replace(owner, lr_mult=value) if field == "lr_mult" else replace(owner, decay_mult=value)
    return owner
