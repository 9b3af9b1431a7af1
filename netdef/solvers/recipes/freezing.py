"""What of a net stays as it is: changes of its message, so that the plan does all the bookkeeping.

Also the other change that a recipe makes to nets: opening an Input blob for the gradient that another net wants of it.
"""
from __future__ import annotations

import fnmatch
from collections.abc import Mapping

from netdef.config import schema
from netdef.config.located import Located, Spans
from netdef.errors import Collector, FieldError, Span, did_you_mean
from netdef.graph.describe import describe
from netdef.graph.infer import infer
from netdef.graph.model import GraphPlan
from netdef.graph.plan import plan
from netdef.solvers.nets import train_arguments
from netdef.solvers.recipes.model import layer_params


def draft(solver: Located) -> GraphPlan:
    """The plan of the train net as its file says, whose layers' messages are those in the solver; no warnings are given.

    Raises ConfigErrors with all mistakes together.
    """
    net, errors = solver.child("train_net_param"), Collector()
    result = plan(infer(describe(net, *train_arguments(solver, net), errors), errors=errors), errors)
    errors.raise_all()
    return result


def named_layers(located: Located, drafted: GraphPlan, who: str, errors: Collector) -> dict[str, Span]:
    """The layers that ``freeze`` means, each with the place that says so; a FieldError for a name that freezes nothing."""
    layers = layer_params(drafted)
    others = [n.name for n in drafted.description.layers if n.name not in layers]
    found: dict[str, Span] = {}
    for i, pattern in enumerate(located.message.freeze):
        span = located.span_of("freeze", i)
        matched = [name for name in layers if fnmatch.fnmatchcase(name, pattern)]
        for name in matched:
            found.setdefault(name, span)
        if not matched:
            bare = any(fnmatch.fnmatchcase(name, pattern) for name in others)
            errors.add(FieldError(f"{who}: freeze: '{pattern}' freezes nothing: " +
                                  ("what it matches has no params" if bare else "the net has no such layer"), where=span,
                                  hint=did_you_mean(pattern, layers)))
    learning = {name for name, params in layers.items() if any(p.learns for p in params)}
    if found and learning and learning <= set(found):
        errors.add(FieldError(f"{who}: freeze leaves nothing to learn", where=located.span_of("freeze")))
    return found


def freeze(drafted: GraphPlan, layers: Mapping[str, Span]) -> None:
    """Give all params of these layers lr_mult 0 and decay_mult 0, and let BatchNorm go by its stored statistics."""
    for node in drafted.description.layers:
        if node.name not in layers:
            continue
        span, located = layers[node.name], node.located
        for i in range(len(layer_params(drafted).get(node.name, ()))):
            if i >= len(located.message.param):
                located.append("param", Located(schema.new("ParamSpec"), Spans(span)))
            param = located.child("param", i)
            param.set("lr_mult", 0.0, span)
            param.set("decay_mult", 0.0, span)
        if node.type == "BatchNorm":
            located.message.batch_norm_param.SetInParent()
            located.child("batch_norm_param").set("use_global_stats", True, span)


def open_inputs(drafted: GraphPlan, blobs: set[str]) -> None:
    """Let the gradient go down to these Input blobs, though nothing below learns; elsewhere nothing changes."""
    values = {v.id for v in drafted.description.values if v.blob in blobs and v.replaces is None}
    for step in drafted.steps:
        node = step.node
        if node.located.message.propagate_down or not values & set(node.bottoms):
            continue  # what the file says holds
        flags = [edge.flows or (value in values and node.layer is not None and node.layer.differentiates(i))
                 for i, (edge, value) in enumerate(zip(step.edges, node.bottoms, strict=True))]
        node.located.set("propagate_down", flags, node.located.span)
