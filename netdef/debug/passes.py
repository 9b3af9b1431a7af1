"""One net whose pass can be repeated with a blob moved: the function that a check differentiates."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from netdef.blob import Blob
from netdef.errors import NetdefError, did_you_mean
from netdef.rng import Stream
from netdef.runtime.net import Net

Array = np.ndarray


@dataclass(frozen=True)
class Target:
    """A param or input: its analytic gradient, and the objective's value with the blob moved by an array."""

    name: str
    blob: Blob
    gradient: Array
    moved: Callable[[Array], float]


class Passes:
    """Runs the same pass again and again: the same data, the same random numbers, the same statistics.

    The objective is the net's loss; or the values of the blob ``start`` (of the outputs, in a net without a loss)
    times seeded random numbers. ``like`` gives the params and inputs of other passes (of another dtype).
    """

    def __init__(self, net: Net, seed: int, start: str | None = None, like: Passes | None = None) -> None:
        self.net = net
        self.seed = seed
        self.start = start
        self.change: tuple[str, Array] | None = None  # blob, what to add after it is made
        self._fill_inputs()
        self.weights: list[Array] = []
        if like is not None:
            self._copy(like)
        self.state = net.state()
        self.out = self._seeds()
        self.last = self._maker(start) if start else None
        net.hooks.add("after_forward", self._apply_change)
        self.weights = [b.data.copy() for b in net.param_blobs]
        self._moving: Blob | None = None
        self.value()
        self._backward()
        self.gradients = [b.diff.copy() for b in net.param_blobs]

    # the pass -------------------------------------------------------------------------------------------------

    def value(self) -> float:
        """The objective of one pass."""
        net = self.net
        for blob, data in zip(net.param_blobs, self.weights, strict=True):
            if blob is not self._moving:
                blob.data[...] = data  # a pass may change params itself (BatchNorm's statistics)
        net.set_state(self.state)
        net.forward(end=self.last)
        if not self.out:
            return net.loss
        return float(sum((net.blobs[name].data.astype(np.float64) * g).sum() for name, g in self.out.items()))

    def _backward(self) -> None:
        net = self.net
        net.clear_param_diffs()
        if self.start is None:
            net.backward(start=None, end=None, **self.out)
            return

        def put(run: Any) -> None:
            if run.name == self.last:  # after the sum over the blob's readers, which do not count here
                net.blobs[self.start].diff[...] = self.out[self.start]  # type: ignore[index]

        with net.hooks.added(before_backward=put):
            net.backward(start=self.last)

    def _seeds(self) -> dict[str, Array]:
        net = self.net
        if self.start is not None and self.start not in net.blobs:
            raise NetdefError(f"the net has no blob '{self.start}'", hint=did_you_mean(self.start, net.blobs))
        names = [self.start] if self.start else [] if net.plan.losses else list(net.plan.description.outputs)
        return {n: Stream(self.seed, f"check/{n}").normal(net.blobs[n].shape, "float64") for n in names}

    def _maker(self, blob: str) -> str:
        """The layer that makes the last version of a blob."""
        return [run.name for run in self.net.steps if any(b is self.net.blobs[blob] for b in run.tops)][-1]

    def _apply_change(self, run: Any) -> None:
        if self.change is None or run.bottoms:
            return
        name, change = self.change
        for blob in run.tops:
            if blob.name == name:
                blob.data[...] += change

    # inputs ---------------------------------------------------------------------------------------------------

    def _fill_inputs(self) -> None:
        for name in self.net.inputs:
            if self._gets_gradient(name):
                blob = self.net.blobs[name]
                blob.data[...] = Stream(self.seed, f"check/input/{name}").normal(blob.shape, "float64")

    def _gets_gradient(self, name: str) -> bool:
        plan = self.net.plan
        return any(v.blob == name and v.id in plan.with_gradient for v in plan.description.values)

    def _copy(self, other: Passes) -> None:
        for mine, weights in zip(self.net.param_blobs, other.weights, strict=True):
            mine.data[...] = weights
        for name in self.net.inputs:
            self.net.blobs[name].data[...] = other.net.blobs[name].data

    # what to move ---------------------------------------------------------------------------------------------

    def targets(self) -> list[Target]:
        """Every owned param that backward reaches, then every blob that a layer without bottoms makes."""
        net, plan = self.net, self.net.plan
        reached = self._reached()
        found = []
        for p in plan.params:
            used = any(q.owner == p.id and q.layer in reached for q in plan.params)
            # BatchNorm's statistics do not learn: nothing is differentiated by them
            if p.owner == p.id and used and p.init.learns:
                layer, blob = plan.description.layers[p.layer], net.param_blobs[p.id]
                found.append(Target(f"param {layer.name}[{p.index}] {p.init.name}", blob, self.gradients[p.id],
                                    self._mover(blob)))
        for value in plan.description.values:
            maker = plan.description.layers[value.maker]
            used = any(layer in reached for layer, _ in value.readers)
            if not maker.bottoms and value.id in plan.with_gradient and used:
                blob = net.blobs[value.blob]
                moved = self._mover(blob) if maker.type == "Input" else self._changer(value.blob)
                found.append(Target(f"input {value.blob}", blob, blob.diff.copy(), moved))
        return found

    def _reached(self) -> set[int]:
        """Indices of the layers whose backward runs here."""
        last = len(self.net.steps) - 1
        if self.last is not None:
            last = next(i for i, run in enumerate(self.net.steps) if run.name == self.last)
        return {i for i in self.net.plan.backward_order if i <= last}

    def _mover(self, blob: Blob) -> Callable[[Array], float]:
        """Moves a blob that no layer overwrites: a param, or an Input's top."""
        def moved(change: Array) -> float:
            old = blob.data.copy()
            blob.data[...] += change
            self._moving = blob
            try:
                return self.value()
            finally:
                self._moving = None
                blob.data[...] = old

        return moved

    def _changer(self, name: str) -> Callable[[Array], float]:
        """Moves a blob that a data layer writes, anew in each pass or only once (DummyData's constants)."""
        blob = self.net.blobs[name]

        def moved(change: Array) -> float:
            old = blob.data.copy()
            self.change = (name, change)
            try:
                return self.value()
            finally:
                self.change = None
                blob.data[...] = old

        return moved
