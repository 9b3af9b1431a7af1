"""What a name on the command line means in a net: a blob, a layer, or a param (``conv1[0]``, ``conv1/weights``)."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from netdef.errors import GraphError, did_you_mean
from netdef.graph.model import Dropped, GraphPlan, Param


@dataclass(frozen=True)
class Target:
    """What is asked about: the values (tops) whose gradients count, and the params of interest.

    ``only_params``: the question is about the params, and the values are the tops of the layers that use them.
    """

    name: str
    values: tuple[int, ...]
    params: tuple[Param, ...] = ()
    only_params: bool = False


def resolve(plan: GraphPlan, name: str) -> Target:
    """The blob of this name (as its maker left it) with the params of a layer of the same name; else the layer; else
    the param, by ``layer[index]``, ``layer/name`` or the name it is shared by.

    Raises GraphError with the nearest names that exist.
    """
    d = plan.description
    value = next((v.id for v in d.values if v.replaces is None and v.blob == name and not v.automatic), None)
    layer = next((n for n in d.layers if n.name == name), None)
    own = tuple(p for p in plan.params if layer is not None and p.layer == layer.index)
    if value is not None:
        made_here = layer is not None and d.values[value].maker == layer.index
        return Target(name, (value,), own if made_here else ())
    if layer is not None:
        return Target(name, layer.tops, own)
    found = next((p for p in plan.params if name in _names(plan, p)), None)
    if found is None:
        raise _unknown(plan, name)
    together = tuple(p for p in plan.params if p.owner == found.owner)
    values = dict.fromkeys(top for p in together for top in d.layers[p.layer].tops)
    return Target(name, tuple(values), (found, *(p for p in together if p.id != found.id)), only_params=True)


def param_name(plan: GraphPlan, param: Param) -> str:
    """``conv1[0] weights``."""
    return f"{plan.description.layers[param.layer].name}[{param.index}] {param.init.name}"


def is_asked(plan: GraphPlan, target: Target) -> bool:
    """Whether something makes the net compute the gradient of a target, if any arrives: it learns, or a param at or
    below it does, or the config forces it."""
    if target.only_params:
        return any(plan.steps[p.layer].need.params[p.index] for p in target.params)
    values = [plan.description.values[v] for v in target.values]
    return any(v.id in plan.losses or any(plan.steps[v.maker].need.params)
               or any(plan.steps[layer].need.bottoms[bottom] for layer, bottom in v.readers) for v in values)


def _names(plan: GraphPlan, param: Param) -> Iterator[str]:
    layer = plan.description.layers[param.layer].name
    yield f"{layer}[{param.index}]"
    yield f"{layer}/{param.init.name}"
    if param.share_name:
        yield param.share_name


def _unknown(plan: GraphPlan, name: str) -> GraphError:
    d = plan.description
    left_out = next((x for x in d.dropped if name == x.name or name in x.tops), None)
    if left_out is not None:
        return _left_out(plan, name, left_out)
    known = dict.fromkeys([*(v.blob for v in d.values if not v.automatic), *(n.name for n in d.layers),
                           *(x for p in plan.params for x in _names(plan, p))])
    layer = re.sub(r"(\[\d+\]|/[^/]*)$", "", name)
    params = [param_name(plan, p) for p in plan.params if d.layers[p.layer].name == layer]
    hint = f"the params of '{layer}' are {', '.join(params)}" if params and layer != name else did_you_mean(name, known)
    if not hint and len(known) <= 20:
        hint = f"there are {', '.join(known)}"
    return GraphError(f"no blob, layer or param is called '{name}' ({d.state})", where=d.located.file,
                      hint=hint or "`netdef explain NET --stage description` lists blobs and layers")


def _left_out(plan: GraphPlan, name: str, dropped: Dropped) -> GraphError:
    what = "layer" if name == dropped.name else "blob"
    return GraphError(f"the {what} '{name}' is left out here ({plan.description.state}): {dropped.reason}",
                      where=dropped.span)
