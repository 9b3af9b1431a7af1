"""The executor: walks the plan's steps forward and backward. All decisions were made in the plan.

A pass runs layer by layer, or in fused steps where the caller says so; both compute the same bits.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from netdef.blob import Blob
from netdef.errors import GraphError, NetdefError
from netdef.graph.fusions import Piece
from netdef.graph.infer import infer_layer
from netdef.graph.model import GraphPlan, LayerNode, Step
from netdef.layers.base import Array, Context, Inferred, Layer, Need, Shape
from netdef.rng import Stream
from netdef.runtime.fused import FusedStep, fused_step
from netdef.runtime.hooks import Hooks


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

    @property
    def runs(self) -> list[RunStep]:
        """Itself, as a fused step has several."""
        return [self]

    @property
    def backs(self) -> bool:
        """Whether it has a backward to run."""
        return self.step.backward

    def forward(self) -> None:
        """Run the layer."""
        self.layer.forward(self.context, self.bottoms, self.params, self.tops)

    def backward(self) -> None:
        """Run the layer backward."""
        self.layer.backward(self.context, self.tops, self.params, self.bottoms, self.need)

    def fit(self, inferred: Inferred, shapes: tuple[Shape, ...], scratch: Scratch) -> None:
        """Give tops, workspace and scratch the inferred sizes."""
        self.inferred, self.shapes = inferred, shapes
        for blob, shape in zip(self.tops, inferred.tops, strict=True):
            if blob.shape != tuple(shape):
                blob.reshape(*shape)
        self.fresh_arrays(scratch)

    def fresh_arrays(self, scratch: Scratch) -> None:
        """Workspace of its own and scratch that is lent, both when first used."""
        dtype = self.context.dtype
        self.context.workspace = Arrays(self.inferred.workspace, lambda name, a: np.zeros(a.shape, real(a, dtype)))
        self.context.scratch = Arrays(self.inferred.scratch, lambda name, a: scratch.view(name, a.shape, real(a, dtype)))


def real(array: Array, dtype: np.dtype) -> np.dtype:
    """The dtype of an array in a net of ``dtype``."""
    return dtype if array.dtype == "real" else np.dtype(array.dtype)


class Arrays(dict[str, np.ndarray]):
    """Arrays by name, each made when it is first asked for: what a step does not use takes no memory."""

    def __init__(self, wanted: Mapping[str, Array], make: Callable[[str, Array], np.ndarray]) -> None:
        super().__init__()
        self._wanted = wanted
        self._make = make

    def __missing__(self, name: str) -> np.ndarray:
        self[name] = made = self._make(name, self._wanted[name])
        return made

    def __contains__(self, name: object) -> bool:
        return name in self._wanted

    def get(self, name: str, default: Any = None) -> Any:
        """The array, or ``default`` where the layer has none of this name."""
        return self[name] if name in self._wanted else default


class Scratch:
    """One piece of memory a name and dtype, lent to one layer at a time and grown to the largest."""

    def __init__(self) -> None:
        self._memory: dict[tuple[str, str], np.ndarray] = {}

    def view(self, name: str, shape: Shape, dtype: np.dtype) -> np.ndarray:
        """A view of this shape, of whatever contents."""
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
        self.pieces: list[RunStep | FusedStep] = list(steps)
        self.fused = False  # whether the last pass ran forward in pieces
        self.summed: frozenset[int] = frozenset()  # values whose gradient lies where that of their first use does
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

    def use_pieces(self, pieces: Sequence[Piece]) -> None:
        """The steps that a fused pass runs."""
        self.pieces = [fused_step(p, self.steps) if p.kind else self.steps[p.layers[0]] for p in pieces]

    def cuts(self, first: int, last: int | None) -> bool:
        """Whether a pass from layer ``first`` to ``last`` begins or ends within a fused step."""
        ends = {first, len(self.steps) if last is None else last + 1}
        return any(not ends.isdisjoint(run.node.index for run in item.runs[1:]) for item in self.pieces)

    def _between(self, first: int, last: int) -> list[RunStep | FusedStep]:
        """The pieces that begin within two layers (inclusive)."""
        return [item for item in self.pieces if first <= item.node.index <= last]

    def forward(self, iteration: int, hooks: Hooks, first: int = 0, last: int | None = None, fused: bool = False,
                rerun: bool = False) -> float:
        """Run the steps from ``first`` to ``last`` (inclusive); the sum of weighted losses made on the way.

        ``fused``: in pieces, none of which may be cut. ``rerun``: leave out layers without bottoms, whose tops stay.
        """
        loss = 0.0
        self.fused = fused
        last = len(self.steps) - 1 if last is None else last
        steps: Sequence[RunStep | FusedStep] = self._between(first, last) if fused else self.steps[first: last + 1]
        for item in steps:
            if rerun and not item.bottoms:
                continue
            for run in item.runs:
                self.fit(run)
                run.context.iteration = iteration
                run.context.rng = Stream(self.seed, run.name, iteration)
            for hook in hooks.of("before_forward"):
                hook(item)
            item.forward()
            if isinstance(item, RunStep):  # a loss is never part of a fused step
                loss += self._weigh(item)
            for hook in hooks.of("after_forward"):
                hook(item)
        return loss

    def _weigh(self, run: RunStep) -> float:
        """A loss is the sum of its top times its weight; its gradient is the weight, put in place now."""
        loss = 0.0
        for value, blob in zip(run.node.tops, run.tops, strict=True):
            weight = self.plan.losses.get(value)
            if weight is not None:
                loss += weight * float(blob.data.sum(dtype=np.float64))
                if run.context.backward:
                    blob.diff[...] = weight
        return loss

    def part(self) -> None:
        """After a fused forward: let backward run layer by layer all the same."""
        for item in self.pieces:
            if isinstance(item, FusedStep):
                item.part()
        self.fused = False

    def backward(self, hooks: Hooks, first: int | None = None, last: int = 0) -> None:
        """Run the steps that need it from ``first`` back to ``last`` (inclusive, as indices of layers)."""
        first = len(self.steps) - 1 if first is None else first
        steps: Sequence[RunStep | FusedStep] = self._between(last, first) if self.fused else self.steps[last: first + 1]
        steps = [item for item in reversed(steps) if item.backs]
        for item in steps:
            for top in item.runs[-1].node.tops:
                self._gather(top)
            for hook in hooks.of("before_backward"):
                hook(item)
            item.backward()
            for hook in hooks.of("after_backward"):
                hook(item)
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
            elif value in self.summed and self._lie_together(diff, self.edges[edges[0]].diff):
                rest = edges[1:]
            else:
                np.copyto(diff, self.edges[edges[0]].diff)
                rest = edges[1:]
            for edge in rest:
                diff += self.edges[edge].diff
        elif plan.description.values[value].readers and value not in plan.with_gradient:
            blob.diff[...] = 0


    @staticmethod
    def _lie_together(a: np.ndarray, b: np.ndarray) -> bool:
        """Whether two arrays begin at one address (a blob that outgrew its place has moved)."""
        return bool(a.__array_interface__["data"][0] == b.__array_interface__["data"][0])


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
