"""verify: refuse in-place layers that Caffe computes without a word and wrongly."""
from __future__ import annotations

from netdef.errors import Collector, GraphError
from netdef.graph.model import GraphPlan, LayerNode, Step


def verify(plan: GraphPlan, errors: Collector) -> None:
    """Check every in-place layer of a plan; adds a GraphError for each whose values or gradient would be wrong."""
    for step in plan.steps:
        for top in step.node.tops:
            if plan.description.values[top].replaces is not None and step.node.layer is not None:
                with errors:
                    _check_own(plan, step, top)
                    _check_maker(plan, step, top)


def _check_own(plan: GraphPlan, step: Step, top: int) -> None:
    """The layer's own forward and backward must bear that its bottom is overwritten."""
    layer, node = step.node.layer, step.node
    assert layer is not None
    blob = plan.description.value_name(top)
    if layer.in_place == "no":
        raise _unsafe(plan, node, top, f"{node.type} cannot work in place on '{blob}': it would read values that it "
                                       "has already overwritten")
    if layer.in_place == "values" and step.backward:
        raise _unsafe(plan, node, top, f"{node.type} cannot work in place on '{blob}' in a net that learns: its "
                                       "gradient needs the values from before")


def _check_maker(plan: GraphPlan, step: Step, top: int) -> None:
    """Whoever made the version before must not need it in backward (or only its signs, and these are kept)."""
    description = plan.description
    changes_sign = not _keeps_sign(step.node)
    value = description.values[top]
    while value.replaces is not None:
        before = description.values[value.replaces]
        maker = plan.steps[before.maker]
        if maker.backward and maker.node.layer is not None and not _is_identity(step.node):
            reads = maker.node.layer.backward_reads
            if "tops" in reads or ("top signs" in reads and changes_sign):
                raise _unsafe(plan, step.node, top,
                              f"works in place on '{value.blob}', but the gradient of {maker.node.who} at "
                              f"{maker.node.located.span} needs that blob as it was")
        value = before


def _keeps_sign(node: LayerNode) -> bool:
    return node.layer is not None and node.layer.keeps_sign


def _is_identity(node: LayerNode) -> bool:
    return node.layer is not None and node.layer.identity


def _unsafe(plan: GraphPlan, node: LayerNode, top: int, text: str) -> GraphError:
    return GraphError(f"{node.who}: {text}", where=node.located.span_of("top", plan.description.values[top].top),
                      hint="give the top a name of its own")
