"""Where a layer itself lets no gradient down one of its bottoms, whoever may ask for it."""
from __future__ import annotations

from netdef.graph.model import LayerNode, Reason


def own_stop(node: LayerNode, bottom: int, force_backward: bool = False) -> Reason | None:
    """Why this layer passes nothing down this bottom, or None where it can.

    Written (``propagate_down: false``, which ``force_backward`` overrules) or a property of the type.
    """
    flags = node.located.message.propagate_down
    if bottom < len(flags) and not flags[bottom] and not force_backward:
        return Reason("propagate_down: false", node.located.span_of("propagate_down", bottom))
    if node.layer is not None and not node.layer.differentiates(bottom):
        return Reason(node.layer.why_constant(bottom), node.located.span_of("bottom", bottom))
    return None
