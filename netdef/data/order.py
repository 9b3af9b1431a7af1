"""Which records come when: in order, shuffled, or drawn by weight. Pure functions of the seed and the place in the sequence,
so that a resumed run goes on exactly and any thread finds the same.
"""
from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from netdef.errors import DataError
from netdef.rng import Stream

if TYPE_CHECKING:
    from netdef.data.source import Source

Positions = range | np.ndarray
_KEPT = 4  # permutations kept: two epochs and their like


class Order(Protocol):
    """The sequence of records that batches are cut from."""

    def positions(self, seed: int, start: int, count: int) -> Positions:
        """The records at ``count`` places of the sequence from ``start`` on; counted on beyond the end where in order."""


class InOrder:
    """As they lie, again and again."""

    def positions(self, seed: int, start: int, count: int) -> Positions:
        """See Order."""
        return range(start, start + count)


class _Drawn:
    """Base of orders that are drawn: keeps what was drawn last, for several threads."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._kept: dict[tuple[int, str, int], np.ndarray] = {}

    def _drawn(self, seed: int, what: str, number: int, draw: Callable[[Stream], np.ndarray]) -> np.ndarray:
        """What ``draw`` makes of the stream of (seed, layer, what, number)."""
        key = (seed, what, number)
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                while len(self._kept) >= self._most:
                    del self._kept[next(iter(self._kept))]
                found = self._kept[key] = draw(Stream(seed, f"{self.name}/{what}", number))
            return found

    _most = _KEPT


class Shuffled(_Drawn):
    """Every record once in each epoch, in an order of its own."""

    def __init__(self, count: int, name: str) -> None:
        super().__init__(name)
        self.count = count

    def positions(self, seed: int, start: int, count: int) -> Positions:
        """See Order."""
        return _spliced(start, count, self.count, lambda epoch: self._drawn(
            seed, "order", epoch, lambda stream: stream.permutation(self.count)))


class Weighted(_Drawn):
    """Records drawn with replacement, each as often as its weight says; an epoch has as many draws as records."""

    def __init__(self, weights: np.ndarray, name: str) -> None:
        super().__init__(name)
        self.sums = np.cumsum(weights, dtype=np.float64)

    def positions(self, seed: int, start: int, count: int) -> Positions:
        """See Order."""
        n = len(self.sums)

        def draw(stream: Stream) -> np.ndarray:
            at = stream.uniform((n,), "float64") * self.sums[-1]
            return np.minimum(np.searchsorted(self.sums, at, side="right"), n - 1)

        return _spliced(start, count, n, lambda epoch: self._drawn(seed, "draws", epoch, draw))


class Balanced(_Drawn):
    """Classes in rounds: each round has one record of each class, in an order of its own, and each class gives its records
    in turn, shuffled anew when all have come."""

    def __init__(self, labels: np.ndarray, name: str) -> None:
        super().__init__(name)
        order = np.argsort(labels, kind="stable")
        _, starts = np.unique(labels[order], return_index=True)
        self.members = np.split(order, starts[1:])
        self._most = max(_KEPT, 2 * len(self.members) + 2)

    def positions(self, seed: int, start: int, count: int) -> Positions:
        """See Order."""
        classes = len(self.members)
        found = np.empty(count, np.int64)
        for i in range(count):
            number, place = divmod(start + i, classes)
            k = int(self._drawn(seed, "rounds", number, lambda stream: stream.permutation(classes))[place])
            found[i] = self._member(seed, k, number)
        return found

    def _member(self, seed: int, k: int, number: int) -> int:
        """The record that class ``k`` gives in round ``number``."""
        members = self.members[k]
        turn, at = divmod(number, len(members))
        return int(members[self._drawn(seed, f"class {k}", turn, lambda stream: stream.permutation(len(members)))[at]])


def _spliced(start: int, count: int, length: int, epoch: Callable[[int], np.ndarray]) -> np.ndarray:
    """``count`` entries from ``start`` on, of epochs of ``length`` one after another."""
    parts = []
    while count > 0:
        number, at = divmod(start, length)
        part = epoch(number)[at: at + count]
        parts.append(part)
        start, count = start + len(part), count - len(part)
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def order_of(source: Source, name: str, *, shuffle: bool = False, balance: bool = False,
             class_weight: Sequence[float] = (), weight_file: str = "") -> Order:
    """The order that these options ask for; ``name`` is the layer's. Raises DataError for weights that do not fit.

    ``balance``, ``class_weight`` (how often each class comes, by its number) and ``weight_file`` (a weight for each record)
    exclude each other, and each of them draws at random in any case.
    """
    if balance or class_weight:
        labels = source.labels()
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DataError("balance and class_weight need one class number a record, the source has other labels or none",
                            where=source.name)
        return Balanced(labels, name) if balance else Weighted(_of_classes(source, labels, class_weight), name)
    if weight_file:
        return Weighted(read_weights(weight_file, len(source)), name)
    return Shuffled(len(source), name) if shuffle else InOrder()


def _of_classes(source: Source, labels: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """The weight of each record, so that classes come in these proportions, however many records they have."""
    wrong = np.flatnonzero((labels < 0) | (labels >= len(shares)))
    if len(wrong):
        raise DataError(f"{source.where(int(wrong[0]))}: the label {labels[wrong[0]]} is out of range, class_weight has "
                        f"{len(shares)} numbers", where=source.name)
    counts = np.bincount(labels, minlength=len(shares))
    weights = (np.asarray(shares, np.float64) / np.maximum(counts, 1))[labels]
    return _checked(weights, source.name)


def read_weights(path: str | os.PathLike[str], count: int) -> np.ndarray:
    """A weight for each record: a .npy, or a text file with a number a line. Raises DataError."""
    name = os.fspath(path)
    try:
        weights = np.load(name, allow_pickle=False) if name.endswith(".npy") else np.loadtxt(name, np.float64, ndmin=1)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"cannot read the weights: {getattr(error, 'strerror', None) or error}", where=name) from error
    if weights.shape != (count,) or weights.dtype.kind not in "fiu":
        raise DataError(f"expected a weight for each of the {count} records, got {weights.shape} numbers", where=name)
    return _checked(weights.astype(np.float64), name)


def _checked(weights: np.ndarray, where: str) -> np.ndarray:
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise DataError(f"record {wrong[0]}: expected a weight of at least 0, got {weights[wrong[0]]:g}", where=where)
    if not weights.sum() > 0:
        raise DataError("all weights are 0", where=where)
    return weights
