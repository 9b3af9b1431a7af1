"""The executor: walks the plan's steps forward and backward. All decisions were made in the plan."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netdef.blob import Blob
from netdef.errors import GraphError, NetdefError
from netdef.graph.infer import infer_layer
from netdef.graph.model import GraphPlan, LayerNode, Step
from netdef.layers.base import Context, Inferred, Layer, Need, Shape
from netdef.rng import Stream


class RunStep:
    """One layer, ready to run: its blobs, its arrays, and the shapes these were made for."""

    def __init__(self, step: Step, layer: Layer, bottoms: list[Blob], tops: list[Blob], params: list[Blob],
                 dtype: np.dtype) -> None:
        self.step = step
        self.node: LayerNode = step.node
        self.name = step.node.name
        self.type = step.node.type
        self.layer = layer
        self.bottoms = bottoms
        self.tops = tops
        self.params = params
        self.need: Need = step.need
        self.context = Context(step.node.spec.phase, 0, dtype, Stream(0, step.node.name), {}, {},
                               step.backward)
        self.inferred: Inferred = step.inferred
        self.shapes: tuple[Shape, ...] | None = None
        self.known: dict[tuple[Shape, ...], Inferred] = {}

    def fit(self, inferred: Inferred, shapes: tuple[Shape, ...], scratch: Scratch) -> None:
        """Give tops, workspace and scratch the inferred sizes."""
        self.inferred, self.shapes = inferred, shapes
        for blob, shape in zip(self.tops, inferred.tops, strict=True):
            if blob.shape != tuple(shape):
                blob.reshape(*shape)
        dtype = self.context.dtype
        self.context.workspace = {
            name: np.zeros(a.shape, dtype if a.dtype == "real" else a.dtype) for name, a in inferred.workspace.items()}
        self.context.scratch = scratch.take(inferred, dtype)


class Scratch:
    """One piece of memory a name and dtype, lent to one layer at a time and grown to the largest."""

    def __init__(self) -> None:
        self._memory: dict[tuple[str, str], np.ndarray] = {}

    def take(self, inferred: Inferred, dtype: np.dtype) -> dict[str, np.ndarray]:
        """Views of the shapes a layer asked for."""
        return {name: self._view(name, a.shape, np.dtype(dtype if a.dtype == "real" else a.dtype))
                for name, a in inferred.scratch.items()}

    def _view(self, name: str, shape: Shape, dtype: np.dtype) -> np.ndarray:
        count = int(np.prod(shape, dtype=np.int64))
        memory = self._memory.get((name, dtype.str))
        if memory is None or memory.size < count:
            memory = self._memory[name, dtype.str] = np.empty(count, dtype)
        return memory[:count].reshape(shape)


class Executor:
    """Runs one plan over one set of blobs."""

    def __init__(self, plan: GraphPlan, steps: list[RunStep], blobs: Mapping[int, Blob], seed: int) -> None:
        self.plan = plan
        self.steps = steps
        self.dropped: dict[int, list[Blob]] = {}  # layer index -> blobs that nobody reads after it (see memory.py)
        self.blobs = blobs  # value id -> Blob; in-place versions share one
        self.seed = seed
        self.scratch = Scratch()
        self.edges = self._edge_blobs()
        # sums over the tops of layers that have no backward of their own (inputs, data)
        self.at_the_end = [v for v in plan.sums if v in plan.with_gradient
                           and not plan.steps[plan.description.values[v].maker].backward]

    def _edge_blobs(self) -> dict[tuple[int, int], Blob]:
        """A blob of its own for each use of a value with several: the same data, a gradient apart."""
        edges: dict[tuple[int, int], Blob] = {}
        for value in self.plan.sums:
            users = self.plan.uses(value)
            for k, use in enumerate(users):
                if use is None:
                    continue
                layer, bottom = use
                blob = SharedData(self.plan.description.split_name(value, k), self.blobs[value])
                edges[use] = blob
                self.steps[layer].bottoms[bottom] = blob
        return edges

    def fit(self, run: RunStep) -> None:
        """Infer and resize if the bottoms' shapes are not those of the last pass."""
        shapes = tuple(b.shape for b in run.bottoms)
        if shapes == run.shapes:
            return
        inferred = run.known.get(shapes)
        if inferred is None:
            inferred = infer_layer(self.plan.description, run.node, shapes) if run.bottoms else run.inferred
            _check_params(run, inferred)
            run.known[shapes] = inferred
        run.fit(inferred, shapes, self.scratch)

    def forward(self, iteration: int, hooks: Any, first: int = 0, last: int | None = None) -> float:
        """Run the steps from ``first`` to ``last`` (inclusive); the sum of weighted losses made on the way."""
        loss = 0.0
        for run in self.steps[first: None if last is None else last + 1]:
            self.fit(run)
            context = run.context
            context.iteration = iteration
            context.rng = Stream(self.seed, run.name, iteration)
            for hook in hooks.of("before_forward"):
                hook(run)
            run.layer.forward(context, run.bottoms, run.params, run.tops)
            loss += self._weigh(run)
            for hook in hooks.of("after_forward"):
                hook(run)
            for blob in self.dropped.get(run.node.index, ()):
                blob.release()
        return loss

    def _weigh(self, run: RunStep) -> float:
        """A loss is the sum of its top times its weight; its gradient is the weight, put in place now."""
        loss = 0.0
        for value, blob in zip(run.node.tops, run.tops, strict=True):
            weight = self.plan.losses.get(value)
            if weight is not None:
                loss += weight * float(blob.data.sum(dtype=np.float64))
                if run.step.backward:
                    blob.diff[...] = weight
        return loss

    def backward(self, hooks: Any, first: int | None = None, last: int = 0) -> None:
        """Run the steps that need it from ``first`` back to ``last`` (inclusive, as indices of layers)."""
        for index in self.plan.backward_order:
            if (first is not None and index > first) or index < last:
                continue
            run = self.steps[index]
            for top in run.node.tops:
                self._gather(top)
            for hook in hooks.of("before_backward"):
                hook(run)
            run.layer.backward(run.context, run.tops, run.params, run.bottoms, run.need)
            for hook in hooks.of("after_backward"):
                hook(run)
        for value in self.at_the_end:
            self._gather(value)

    def _gather(self, value: int) -> None:
        """Add up what the users of a value sent down; a value whose readers send nothing has gradient 0."""
        plan, blob = self.plan, self.blobs[value]
        edges = plan.sums.get(value)
        if edges is not None:
            diff = blob.diff
            if value in plan.losses or not edges:
                diff[...] = plan.losses.get(value, 0.0)
                rest = edges
            else:
                np.copyto(diff, self.edges[edges[0]].diff)
                rest = edges[1:]
            for edge in rest:
                diff += self.edges[edge].diff
        elif plan.description.values[value].readers and value not in plan.with_gradient:
            blob.diff[...] = 0


class SharedData(Blob):
    """A use of a blob: reads its data wherever that is now, and has a gradient of its own."""

    __slots__ = ("_source",)

    def __init__(self, name: str, source: Blob) -> None:
        super().__init__(name, source.shape, source.dtype)
        self._source = source

    @property
    def shape(self) -> Shape:
        """The source's shape, as it is now."""
        if self._shape != self._source.shape:
            self.reshape(*self._source.shape)
        return self._shape

    @property
    def data(self) -> np.ndarray:
        """The source's values."""
        return self._source.data

    @property
    def diff(self) -> np.ndarray:
        """The gradient by this use alone."""
        _ = self.shape
        diff: np.ndarray = Blob.diff.__get__(self)
        return diff


def _check_params(run: RunStep, inferred: Inferred) -> None:
    """A new input size must not change what was learned."""
    for init, blob, old in zip(inferred.params, run.params, run.inferred.params, strict=True):
        if tuple(init.shape) != tuple(old.shape):
            raise GraphError(f"{run.node.who}: the new input size would change param '{init.name}' from "
                             f"{blob.shape} to {tuple(init.shape)}", where=run.node.located.span,
                             hint="a param's shape is fixed once the net is made")


def named(items: Sequence[RunStep], name: str) -> int:
    """The index of the layer of this name; raises NetdefError where there is none."""
    for i, run in enumerate(items):
        if run.name == name:
            return i
    raise NetdefError(f"the net has no layer '{name}'")
