"""Down which arrows of a drawing a gradient comes, and where one stops that something below could have used."""
from __future__ import annotations

from netdef.graph.model import GraphPlan, Reason, Step
from netdef.graph.stops import own_stop


class Stopping:
    """Answers for the bottoms of one plan."""

    def __init__(self, plan: GraphPlan) -> None:
        force = plan.description.force_backward
        learning = {p.layer for p in plan.params if p.learns}
        self.wanted: set[int] = set()  # values at or below which something learns, with nothing in between that stops it
        self.under_loss = set(plan.losses)
        for step in plan.steps:
            node = step.node
            below = any(v in self.wanted and own_stop(node, i, force) is None for i, v in enumerate(node.bottoms))
            if node.index in learning or below:
                self.wanted.update(node.tops)
        for step in reversed(plan.steps):
            if self._leads_up(step):
                self.under_loss.update(v for v in step.node.bottoms if v is not None)

    def _leads_up(self, step: Step) -> bool:
        return any(t in self.under_loss for t in step.node.tops)

    def of(self, step: Step, bottom: int) -> tuple[bool, bool, Reason | None]:
        """Of one bottom: whether a gradient comes down it; whether one that could come from a loss stops here, though
        something below learns; and why none comes (None where one does)."""
        if step.need.bottoms[bottom]:
            return True, False, None
        edge, value = step.edges[bottom], step.node.bottoms[bottom]
        reason = step.reason if edge.flows and not step.backward else edge.reason
        return False, value in self.wanted and self._leads_up(step), reason
