"""Average precision of a detector, from the rows of DetectionEvaluate layers gathered over all passes of a test."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netdef.graph.render import table
from netdef.runtime.net import Net

_EPSILON = 1e-6


class Precision:
    """Gathers the rows (picture, class, score, right, wrong) of each output that a DetectionEvaluate layer makes."""

    def __init__(self, net: Net, version: str = "Integral") -> None:
        outputs = set(net.outputs)
        self.layers = {str(run.node.spec.message.top[0]): run.name for run in net.steps
                       if run.type == "DetectionEvaluate" and run.node.spec.message.top[0] in outputs}
        self.version = version
        self._rows: dict[str, list[np.ndarray]] = {blob: [] for blob in self.layers}

    def add(self, blob: str, rows: np.ndarray) -> None:
        """The rows of one pass."""
        self._rows[blob].append(rows.reshape(-1, 5).astype(np.float64))

    def by_class(self, blob: str) -> dict[int, tuple[int, int, float]]:
        """For each class: its true boxes, its boxes found, and its average precision."""
        rows = np.concatenate(self._rows[blob]) if self._rows[blob] else np.empty((0, 5))
        counts, found = rows[rows[:, 0] == -1], rows[rows[:, 0] != -1]
        found = found[(found[:, 3] != 0) | (found[:, 4] != 0)]
        made = {}
        for c in np.unique(counts[:, 1]).astype(int):
            truths, own = int(counts[counts[:, 1] == c, 2].sum()), found[found[:, 1] == c]
            own = own[np.argsort(-own[:, 2], kind="stable")]
            made[int(c)] = truths, len(own), average_precision(own[:, 3] > 0, truths, self.version)
        return made

    def mean(self, blob: str) -> float:
        """The mean average precision: over all classes, also those of which nothing was found (0)."""
        values = [ap for _, _, ap in self.by_class(blob).values()]
        return float(np.mean(values)) if values else 0.0

    def text(self, blob: str, labels: Sequence[str] | None = None) -> str:
        """A table of the classes of one output."""
        rows = [(c, *([labels[c]] if labels and c < len(labels) else [""] if labels else []), truths, found, f"{ap:.4f}")
                for c, (truths, found, ap) in self.by_class(blob).items()]
        columns = ("class", *(["label"] if labels else []), "true boxes", "found", "average precision")
        right = [0, len(columns) - 3, len(columns) - 2, len(columns) - 1]
        return f"layer '{self.layers[blob]}', average precision by class ({self.version})\n{table(rows, columns, right)}"


def average_precision(right: np.ndarray, truths: int, version: str) -> float:
    """The area under the curve of precision over recall of boxes (bool, K), best first, of ``truths`` true boxes.

    ``Integral`` takes the curve as it is; ``MaxIntegral`` (VOC 2012) at each recall the best precision from there on;
    ``11point`` (VOC 2007) the mean of those at recalls 0, 0.1, ..., 1.

    >>> average_precision(np.array([True, False, True]), 2, "MaxIntegral")
    0.8333333333333333
    """
    if not len(right) or not truths:
        return 0.0
    hits = np.cumsum(right)
    precision, recall = hits / np.arange(1, len(right) + 1), hits / truths
    if version == "11point":
        reached = [precision[recall >= level / 10 - _EPSILON] for level in range(11)]
        return float(np.mean([part.max(initial=0) for part in reached]))
    if version == "MaxIntegral":
        precision = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(recall, prepend=0)
    return float((precision * np.where(steps > _EPSILON, steps, 0)).sum())
