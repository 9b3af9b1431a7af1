"""Where every param of a stage's nets comes from, and the refusal of params that nobody ever gives a value worth keeping."""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from netdef.errors import Collector, GraphError, Span
from netdef.graph.model import GraphPlan, LayerNode, Param
from netdef.solvers.recipes.model import Key, Member, layer_node, layer_params


def origin(member: Member, layer: str, param: Param) -> str:
    """``stage 'pre1', layer 'enc'``, ``shared with 'classifier'`` or ``filled: xavier``."""
    for taken in reversed(member.taken):
        for there, here in taken.layers:
            if here == layer:
                return taken.words + (f", layer '{there}'" if there != here else "")
    if (layer, param.index) in member.shared:
        owner, (its_layer, _) = member.shared[layer, param.index]
        return f"shared with '{owner}'" + (f", layer '{its_layer}'" if its_layer != layer else "")
    filler = param.init.filler
    if filler is None or isinstance(filler, (int, float)):
        return f"filled: {float(filler or 0):g}"
    return f"filled: {getattr(filler, 'type', 'by the layer')}"


def owner_of(plan: GraphPlan, param: Param) -> Param:
    """The param whose memory this one uses within its net."""
    return plan.params[param.owner]


def check_coverage(members: Sequence[Member], held: Mapping[str, Collection[str]], fixed: Mapping[str, Collection[str]],
                   who: Mapping[str, str], errors: Collector) -> None:
    """GraphErrors for layers that stay at random first values: those in ``held`` (by net: layers that the recipe freezes,
    or all of a net that is only lent) that neither take weights nor share with a net that learns or takes them.

    ``fixed`` are the layers whose own file says lr_mult 0: what it fills is meant to stay. With ``strict`` every param
    must be taken or shared.
    """
    given: set[tuple[str, Key]] = set()
    for member in members:
        taken = {here for t in member.taken for _, here in t.layers}
        for layer, params in layer_params(member.plan).items():
            if layer in taken or layer not in held[member.name]:
                given |= {(owner, key) for p in params for owner, key in [_memory(member, p)]}
    for member in members:
        taken = {here for t in member.taken for _, here in t.layers}
        strict = member.located.message.strict
        for layer, params in layer_params(member.plan).items():
            shared = all(_memory(member, p)[0] != member.name for p in params)
            node = layer_node(member.plan, layer)
            if strict and layer not in taken and not shared:
                errors.add(GraphError(f"{who[member.name]}: strict: no weights give {node.who} its params",
                                      where=member.located.span_of("strict"), notes=[f"the layer: {node.located.span}"]))
            elif (layer in held[member.name] and layer not in fixed[member.name]
                  and any(_memory(member, p) not in given for p in params)):
                what = "the net is only lent" if member.lent else f"'{layer}' is frozen"
                errors.add(GraphError(f"{who[member.name]}: {what}, but no weights give {node.who} its params, and no other "
                                      "net of the stage does: they would stay at random", where=_where(member, node),
                                      notes=[f"the layer: {node.located.span}"],
                                      hint="weights { stage: ... } or { file: ... } gives them"))
        _check_tests(member, taken, who[member.name], errors)


def _memory(member: Member, param: Param) -> tuple[str, Key]:
    plan = member.plan
    owner = owner_of(plan, param)
    key = (plan.description.layers[owner.layer].name, owner.index)
    return member.shared.get(key, (member.name, key))


def _where(member: Member, node: LayerNode) -> Span:
    params = node.located.message.param
    return node.located.span_of("param", 0, "lr_mult") if len(params) and not member.lent else member.located.span_of("iter")


def _check_tests(member: Member, taken: Collection[str], who: str, errors: Collector) -> None:
    """Layers of test nets that the train net does not have learn nowhere."""
    known = layer_params(member.plan)
    said: set[str] = set()
    for test in member.plans.tests:
        for layer, params in layer_params(test).items():
            if layer in known or layer in taken or layer in said or all(not p.learns for p in params):
                continue
            said.add(layer)
            node = layer_node(test, layer)
            errors.add(GraphError(f"{who}: {node.who} is in the test net only, and no weights give it its params: they would "
                                  "stay at random", where=node.located.span, hint="weights { stage: ... } or { file: ... } "
                                  "gives them"))
