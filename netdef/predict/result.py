"""What a net says of one item: classes, boxes or plain numbers."""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Guess:
    """A class, its score (a probability where the net ends in a Softmax), and its name ("" where none is known)."""

    index: int
    score: float
    label: str = ""

    @property
    def name(self) -> str:
        """The label, or the number where there is none."""
        return self.label or str(self.index)


@dataclass(frozen=True)
class Box:
    """An object: its class and the corners of its box, in pixels of the picture (0 to 1 where there was no picture)."""

    index: int
    score: float
    corners: tuple[float, float, float, float]  # left, top, right, bottom
    label: str = ""

    @property
    def name(self) -> str:
        """The label, or the number where there is none."""
        return self.label or str(self.index)


@dataclass(frozen=True)
class Prediction:
    """The answer for one item.

    ``source`` is the file, or the row; ``task`` classify, detect, regress or raw; ``outputs`` the item's part of each
    output blob; ``classes`` and ``boxes`` are filled by their tasks, best first.
    """

    source: str
    task: str
    outputs: Mapping[str, np.ndarray]
    classes: tuple[Guess, ...] = ()
    boxes: tuple[Box, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Lists, strings and numbers for JSON; what is not finite becomes null."""
        made: dict[str, Any] = {"input": self.source, "task": self.task}
        if self.task == "classify":
            made["classes"] = [{"index": c.index, "label": c.label or None, "score": plain(c.score)} for c in self.classes]
        elif self.task == "detect":
            made["boxes"] = [{"index": b.index, "label": b.label or None, "score": plain(b.score),
                              "box": [plain(v) for v in b.corners]} for b in self.boxes]
        else:
            made["outputs"] = {name: plain(value) for name, value in self.outputs.items()}
        return made


def plain(value: Any) -> Any:
    """Numbers of an array or a float as JSON has them, each the shortest that reads back as the same float32."""
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value] if value.ndim else plain(value[()])
    number = float(value)
    return float(str(np.float32(number))) if math.isfinite(number) else None
