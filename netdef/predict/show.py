"""Answers as tables."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from netdef.graph.render import shape_text, table
from netdef.predict.result import Prediction

MOST = 8  # numbers of one output in a table
_HEADS: dict[str, tuple[str, ...]] = {
    "classify": ("input", "score", "class"),
    "detect": ("input", "score", "class", "left", "top", "right", "bottom"),
    "regress": ("input", "output", "values"),
    "raw": ("input", "output", "shape", "min", "mean", "max", "values"),
}


def predictions_table(predictions: Iterable[Prediction]) -> str:
    """One table of all answers, which are of one task; the input's name stands in its first row."""
    rows: list[Sequence[str]] = []
    task = ""
    for prediction in predictions:
        task = prediction.task
        own = list(_rows(prediction)) or [("-",) * (len(_HEADS[task]) - 1)]
        rows += [(prediction.source if i == 0 else "", *row) for i, row in enumerate(own)]
    if not rows:
        return ""
    right = {"classify": (1,), "detect": (1, 3, 4, 5, 6), "raw": (3, 4, 5)}.get(task, ())
    return table(rows, _HEADS[task], right)


def _rows(prediction: Prediction) -> Iterator[tuple[str, ...]]:
    if prediction.task == "classify":
        for guess in prediction.classes:
            yield f"{guess.score:.4f}", guess.name
    elif prediction.task == "detect":
        for box in prediction.boxes:
            size = ".1f" if max(box.corners) > 2 else ".3f"
            yield (f"{box.score:.4f}", box.name, *(f"{v:{size}}" for v in box.corners))
    elif prediction.task == "regress":
        for name, value in prediction.outputs.items():
            yield name, _numbers(value)
    else:
        for name, value in prediction.outputs.items():
            finite = value if value.size else np.zeros(1)
            yield (name, shape_text(value.shape), f"{finite.min():.4g}", f"{finite.mean():.4g}", f"{finite.max():.4g}",
                   _numbers(value))


def _numbers(value: np.ndarray) -> str:
    flat = value.reshape(-1)
    shown = " ".join(f"{v:.6g}" for v in flat[:MOST])
    return f"{shown} ... ({flat.size})" if flat.size > MOST else shown
