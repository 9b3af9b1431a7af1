"""Items in batches through a net, and each item's part of the outputs back."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from netdef.errors import ConfigError, NetdefError
from netdef.predict.rows import Item
from netdef.runtime.net import Net

Arrays = Mapping[str, np.ndarray]
USUAL = 16  # items a pass, where the net itself is written for one


class Batches:
    """Runs items through ``net`` and takes ``outputs`` (blobs) apart again.

    ``size`` is the number of items in a pass. Without it that of the net is taken, or a few where the net is written for
    one; a net that turns out to work at its own size alone then gets whole batches of that, filled up. ``by_image``: the
    outputs are detections, whose first column is the number of the item. ``end`` is the last layer to run.
    """

    def __init__(self, net: Net, outputs: Sequence[str], size: int | None = None, by_image: bool = False,
                 end: str | None = None) -> None:
        self.net, self.outputs, self.by_image, self.end = net, tuple(outputs), by_image, end
        self.declared = {name: net.blobs[name].shape for name in net.inputs}
        rows = next((shape[0] for shape in self.declared.values() if shape), 1)
        self.size = size or (rows if rows > 1 else USUAL)
        self.own = rows if size is None and rows > 0 else None  # a size to fall back to
        self.only_own = False

    def run(self, items: Iterable[Item], fixed: Arrays | None = None) -> Iterator[tuple[Item, Arrays]]:
        """Each item with its part of the outputs, copies without the batch axis; the mean over an item's views.

        ``fixed`` are further inputs, the same for all (one item each). Raises NetdefError where an output has not one row an
        item, ShapeError where inputs do not fit.
        """
        for group in _groups(items, self.size):
            values = {name: np.concatenate([item.values[name] for item in group]) for name in group[0].values}
            made = self._forward({**values, **(fixed or {})})
            at = 0
            for item in group:
                views = len(next(iter(item.values.values())))
                yield item, {name: self._part(rows, at, views) for name, rows in made.items()}
                at += views

    def _part(self, rows: np.ndarray, at: int, views: int) -> np.ndarray:
        """An item's part of an output."""
        if not self.by_image:
            part: np.ndarray = rows[at] if views == 1 else rows[at: at + views].mean(axis=0)
            return part
        image = rows.reshape(-1, 7)
        found: np.ndarray = image[(image[:, 0] == at) & (image[:, 1] >= 0)]  # a class of -1: nothing was found
        return found

    def _forward(self, values: Arrays) -> Arrays:
        """The outputs for a group, in one pass if the net can do that."""
        count = max(len(v) for v in values.values())
        if not self.only_own:
            try:
                return self._pass(values, count)
            except (ConfigError, _NotRows):
                if self.own is None or self.own == count:
                    raise
                made = self._by_own_size(values, count, self.own)
                self.only_own, self.size = True, self.own
                return made
        assert self.own is not None
        return self._by_own_size(values, count, self.own)

    def _by_own_size(self, values: Arrays, count: int, own: int) -> Arrays:
        """The outputs for a group, in batches of the net's own size; the last one is filled up with its last item."""
        parts: list[Arrays] = []
        for start in range(0, count, own):
            index = np.minimum(np.arange(start, start + own), count - 1)
            made = self._pass({n: v[index] if len(v) > 1 else v for n, v in values.items()}, own)
            wanted = min(own, count - start)
            parts.append({name: _renumbered(rows, start, wanted) if self.by_image else rows[:wanted]
                          for name, rows in made.items()})
        return {name: np.concatenate([p[name] for p in parts]) for name in self.outputs}

    def _pass(self, values: Arrays, count: int) -> Arrays:
        """The outputs (copies) of one forward pass over ``count`` items."""
        given: dict[str, Any] = {n: v if len(v) == count else np.repeat(v, count, axis=0) for n, v in values.items()}
        self.net.forward(end=self.end, **given)
        made = {name: self.net.blobs[name].data.copy() for name in self.outputs}
        for name, rows in made.items():
            if not self.by_image and (not rows.ndim or len(rows) != count):
                raise _NotRows(f"blob '{name}' has the shape {rows.shape} for a batch of {count}; expected a row for each item",
                               hint="a batch of one may do: --batch 1" if count > 1 else "")
        return made


class _NotRows(NetdefError):
    """A blob whose first axis is not the batch."""


def _renumbered(rows: np.ndarray, start: int, count: int) -> np.ndarray:
    """Detections of the first ``count`` items of a batch, numbered from ``start``."""
    flat = rows.reshape(-1, 7)
    flat = flat[flat[:, 0] < count].copy()
    flat[:, 0] += start
    return flat


def _groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Items in groups of at most ``size`` rows (or one item), all of one shape.

    Where an item is bad, those before it come first and the error then.
    """
    group: list[Item] = []
    rows, shapes = 0, None
    held: NetdefError | None = None
    stream = iter(items)
    while True:
        try:
            item = next(stream, None)
        except NetdefError as error:
            held, item = error, None
        if item is None:
            break
        first = next(iter(item.values.values()))
        own = {n: v.shape[1:] for n, v in item.values.items()}
        if group and (rows + len(first) > size or own != shapes):
            yield group
            group, rows = [], 0
        group.append(item)
        rows, shapes = rows + len(first), own
        if rows >= size:
            yield group
            group, rows = [], 0
    if group:
        yield group
    if held is not None:
        raise held
