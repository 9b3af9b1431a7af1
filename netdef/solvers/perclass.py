"""How well each class is told, over all passes of a test: from Accuracy layers that have a top for it."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netdef.graph.render import table
from netdef.runtime.executor import RunStep
from netdef.runtime.net import Net

MOST = 50  # classes that are listed; of more, those that are told worst


class PerClass:
    """Counts items and right answers by class; ``seen`` is a hook for after_forward.

    A mean over batches, as of other outputs, would count a class that a batch has no item of as all wrong.
    """

    def __init__(self, net: Net) -> None:
        self.layers = [run.name for run in net.steps if run.type == "Accuracy" and len(run.tops) > 1]
        self.items: dict[str, np.ndarray] = {}
        self.right: dict[str, np.ndarray] = {}

    def seen(self, step: RunStep) -> None:
        """Add a pass of one layer."""
        if step.name not in self.layers:
            return
        share = step.tops[1].data.astype(np.float64)
        labels = step.bottoms[1].data.reshape(-1)
        if step.node.spec.has("ignore_label"):
            labels = labels[labels != step.layer.options.ignore_label]
        counts = np.bincount(labels.astype(np.int64), minlength=len(share))
        self.items[step.name] = self.items.get(step.name, 0) + counts
        self.right[step.name] = self.right.get(step.name, 0) + np.rint(share * counts)

    def text(self, layer: str, labels: Sequence[str] | None = None) -> str:
        """The table of one layer; of many classes those that are told worst, then a line that says so."""
        items, right = self.items[layer], self.right[layer]
        share = right / np.maximum(items, 1)
        order = np.arange(len(items))
        head = f"layer '{layer}', right answers by class"
        if len(items) > MOST:
            order = np.argsort(np.where(items > 0, share, 2), kind="stable")[:MOST]
            head += f", the worst {MOST} of {len(items)} classes"
        rows = [(int(i), labels[int(i)] if labels else "", int(items[i]), int(right[i]), f"{share[i]:.4f}" if items[i] else "-")
                for i in order]
        columns = ("class", "label", "items", "right", "accuracy")
        if not labels:
            rows = [(r[0], *r[2:]) for r in rows]  # type: ignore[misc]
            columns = (columns[0], *columns[2:])  # type: ignore[assignment]
        mean = f"mean of the classes: {share[items > 0].mean():.4f}" if (items > 0).any() else "no class has an item"
        return f"{head}\n{table(rows, columns, [0, len(columns) - 3, len(columns) - 2, len(columns) - 1])}\n{mean}"
