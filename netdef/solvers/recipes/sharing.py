"""Nets of one stage that share params: one array for all of them, so that there is nothing to copy and nothing stale."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netdef.errors import Collector, GraphError
from netdef.graph.model import GraphPlan, Param
from netdef.runtime.net import Net
from netdef.solvers.recipes.model import Key, layer_node

Shared = Mapping[Key, tuple[str, Key]]
_Name = tuple[str, str, int]  # ("layer", its name, index) or ("param", its share name, 0)


@dataclass(frozen=True)
class _Owner:
    net: str
    plan: GraphPlan
    param: Param

    @property
    def key(self) -> Key:
        return _key(self.plan, self.param)


def plan_sharing(nets: Sequence[tuple[str, GraphPlan]], who: str, errors: Collector) -> Mapping[str, Shared]:
    """For each net, which of its params use the memory of an earlier net's.

    Params are the same where their layers have one name (and they one index), or where they have one name in ``param {
    name }``. GraphErrors where sizes differ, or where the two rules lead to two different arrays.
    """
    table: dict[_Name, _Owner] = {}
    found: dict[str, dict[Key, tuple[str, Key]]] = {}
    for name, plan in nets:
        own = found[name] = {}
        for param in plan.params:
            if param.owner != param.id:
                continue
            names = [n for user in plan.params if user.owner == param.id for n in _names(plan, user)]
            owners = {id(table[n].param): table[n] for n in names if n in table}
            owner = next(iter(owners.values()), None) or _Owner(name, plan, param)
            if owner.param is not param:
                with errors:
                    _check(who, name, plan, param, list(owners.values()))
                own[_key(plan, param)] = (owner.net, owner.key)
            for n in names:
                table.setdefault(n, owner)
    return found


def _key(plan: GraphPlan, param: Param) -> Key:
    return plan.description.layers[param.layer].name, param.index


def _names(plan: GraphPlan, param: Param) -> list[_Name]:
    layer, index = _key(plan, param)
    named: list[_Name] = [("param", param.share_name, 0)] if param.share_name else []
    return [("layer", layer, index), *named]


def _check(who: str, net: str, plan: GraphPlan, param: Param, owners: Sequence[_Owner]) -> None:
    layer, index = _key(plan, param)
    node, owner = layer_node(plan, layer), owners[0]
    places = [f"in '{o.net}': {layer_node(o.plan, o.key[0]).located.span}" for o in owners]
    here = f"in '{net}': {node.located.span}"
    if len(owners) > 1:
        raise GraphError(f"{who}: param {index} of layer '{layer}' in '{net}' would be two params of the other nets at once",
                         where=node.located.span, notes=places, hint="params are the same where their layers have one "
                         "name, and where they have one name in param { name }")
    mine, theirs = tuple(param.init.shape), tuple(owner.param.init.shape)
    specs = node.located.message.param
    permissive = index < len(specs) and specs[index].share_mode == 1
    if math.prod(mine) != math.prod(theirs) if permissive else mine != theirs:
        raise GraphError(f"{who}: param {index} of layer '{layer}' has shape {mine} in '{net}' and {theirs} in "
                         f"'{owner.net}', and the nets share it", where=node.located.span, notes=[here, *places],
                         hint="another name of the layer, or share: false in the recipe, keeps them apart")


def share(nets: Mapping[str, Net], shared: Mapping[str, Shared]) -> None:
    """Let params use the memory of those that they share; gradients stay each net's own."""
    for name, pairs in shared.items():
        net = nets[name]
        for (layer, index), (owner, (its_layer, its_index)) in pairs.items():
            source = nets[owner].params[its_layer][its_index]
            params = {id(blob): k for k, blob in enumerate(net.param_blobs)}
            mine = params[id(net.params[layer][index])]
            for user in net.plan.params:
                if user.owner == mine:
                    net.param_blobs[user.id].share_data(source)
