"""Which classes count as the answer: the best few, those above a threshold, or as many as make up a share of the whole."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdef.errors import DataError, NetdefError, did_you_mean

RULES = ("top", "threshold", "cumulative")


@dataclass(frozen=True)
class Decode:
    """Limits on the classes of one item, taken in the order of falling scores; all that are given must hold.

    ``top``         at most so many
    ``threshold``   only scores of at least this
    ``cumulative``  as many as it takes for their sum to reach this share; for probabilities that sum to one, spread over
                    all labels that apply

    >>> Decode(cumulative=0.95)(np.array([0.1, 0.6, 0.3, 0.0]))
    [1, 2, 0]
    """

    top: int | None = None
    threshold: float | None = None
    cumulative: float | None = None

    @classmethod
    def parse(cls, text: str) -> Decode:
        """From ``cumulative=0.95`` or ``top=3,threshold=0.1``. Raises NetdefError."""
        given: dict[str, float] = {}
        for part in text.split(","):
            name, _, value = part.strip().partition("=")
            if name not in RULES:
                raise NetdefError(f"decode: expected {', '.join(f'{r}=...' for r in RULES)}, got '{part.strip()}'",
                                  hint=did_you_mean(name, RULES))
            given[name] = _number(name, value)
        top = given.pop("top", None)
        return cls(None if top is None else int(top), **given)

    def __call__(self, scores: np.ndarray) -> list[int]:
        """The classes of one item, best first; of equal scores the first class. ``scores`` is (C).

        Raises DataError where ``cumulative`` is asked of scores that are no probabilities.
        """
        order = np.argsort(-scores, kind="stable")
        count = len(order) if self.top is None else min(self.top, len(order))
        if self.threshold is not None:
            count = min(count, int((scores >= self.threshold).sum()))
        if self.cumulative is not None:
            count = min(count, self._share(scores[order]))
        return [int(i) for i in order[:count]]

    def _share(self, falling: np.ndarray) -> int:
        """How many of the best scores it takes."""
        total = float(falling.sum(dtype=np.float64))
        if not abs(total - 1) < 1e-2 or falling[-1] < 0:
            raise DataError(f"cumulative: expected probabilities that sum to 1, the scores sum to {total:.4g}",
                            hint="end the net with a Softmax, or use threshold=... or top=...")
        sums = np.cumsum(falling, dtype=np.float64)
        return int(np.searchsorted(sums, float(self.cumulative or 0) - 1e-6)) + 1


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    good = {"top": value >= 1 and value == int(value) if value == value and abs(value) < 1e9 else False,
            "threshold": value == value, "cumulative": 0 < value <= 1}[name]
    if not good:
        wanted = {"top": "a whole number from 1 up", "threshold": "a number", "cumulative": "a number above 0, at most 1"}
        raise NetdefError(f"decode: {name}: expected {wanted[name]}, got '{text}'")
    return value
