"""Exact inversion: a wanted output taken back to an input layer by layer, where every layer has an inverse.

Where a layer makes fewer values than it reads there is a choice: the smallest input is taken, or one within the range of
what stands below (a Sigmoid's outputs, pixels). Where it makes more, most wanted values are given by no input, and the
nearest input is taken. Either way the residual of each layer, and of all together, is measured and reported.
"""
from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from netdef.errors import NetdefError
from netdef.graph.render import table
from netdef.probe.alone import Alone
from netdef.probe.goals import residuals
from netdef.probe.inverses import BY_GRADIENT, NoInverse, Wanted, output_range, undo
from netdef.probe.space import Space
from netdef.probe.subject import Probe
from netdef.runtime.executor import RunStep

_SAME_ORDER = ("Flatten", "Reshape", "Dropout", "Split")


@dataclass(frozen=True)
class Undone:
    """One layer undone: how, and how far its output for the input that was found is from what was wanted of it.

    ``largest`` is the largest difference, ``relative`` the length of the difference by that of the wanted values;
    ``seconds`` the time it took.
    """

    layer: str
    type: str
    how: str
    largest: float
    relative: float
    seconds: float


@dataclass(frozen=True)
class ExactInversion:
    """An input ``values`` (C, H, W), float64, the ``outputs`` that the net gives for it, and the layers, last first.

    ``largest`` and ``relative`` are the residual |f(x) - wanted| of the whole net.
    """

    values: np.ndarray
    outputs: np.ndarray
    largest: float
    relative: float
    layers: tuple[Undone, ...]

    def __str__(self) -> str:
        """A table of the layers and the residual of all."""
        rows = [(u.layer, u.type, u.how, f"{u.largest:.2e}", f"{u.relative:.2e}", f"{u.seconds:.2f} s") for u in self.layers]
        return "\n".join([table(rows, ("layer", "type", "undone by", "residual", "relative", "time"), [3, 4, 5]), "",
                          f"residual |f(x) - wanted|: largest {self.largest:.3g}, relative {self.relative:.3g}"])


def invert_exactly(probe: Probe, wanted: np.ndarray, space: Space | None = None, clip: float = 0.0,
                   constant: float = 0.0) -> ExactInversion:
    """The input that gives ``wanted``, values of the probe's blob (one item).

    The probe is best made with ``scores=False`` (the wanted values are those of the net's output) and ``dtype="float64"``.
    ``space`` bounds the input where there is a choice. ``clip`` moves wanted values that a layer cannot give so far into its
    range, as a part of its width; ``constant`` is the mean of the scores below a Softmax, which knows them up to a constant.

    Raises NoInverse where a layer has no inverse or the layers are no chain, OutOfRange, and NetdefError for a wrong number
    of values.
    """
    chain = chain_of(probe)
    if wanted.size != math.prod(probe.out_shape):
        raise NetdefError(f"expected {math.prod(probe.out_shape)} wanted values, for a blob of {probe.out_shape} an item, "
                          f"got {wanted.size}")
    shapes = _shapes(probe, chain)
    y = np.asarray(wanted, np.float64).reshape(1, *shapes[-1][1:])
    done: list[Undone] = []
    for i in reversed(range(len(chain))):
        begun = time.perf_counter()
        run = chain[i]
        low, high = _limits(chain[:i], space)
        step = Wanted(run.node, run.params, y, shapes[i], low, high, clip, constant)
        x = undo(step)
        largest, relative = residuals(Alone(run.node, run.params, probe.net.dtype).forward(x), y)
        done.append(Undone(run.name, run.type, step.how, largest, relative, time.perf_counter() - begun))
        y = x
    outputs = probe.forward(y)[0]
    return ExactInversion(y[0], outputs, *residuals(outputs, wanted), tuple(done))


def chain_of(probe: Probe) -> list[RunStep]:
    """The layers from the input to the blob. Raises NoInverse where one has several bottoms or its bottom other readers."""
    steps, d = probe.net.steps, probe.net.plan.description
    chain = [run for run in steps if run.bottoms]
    for run in chain:
        if len(run.bottoms) != 1 or (len(run.tops) != 1 and run.type != "Split"):
            raise NoInverse(f"{run.node.who}: has no inverse: it has {len(run.bottoms)} bottoms and {len(run.tops)} tops",
                            where=run.node.located.span, hint=BY_GRADIENT)
        value = run.node.bottoms[0]
        if value is not None and len(d.values[value].readers) > 1:
            readers = ", ".join(f"'{d.layers[layer].name}'" for layer, _ in d.values[value].readers)
            raise NoInverse(f"blob '{d.value_name(value)}' is read by {readers}: the layers are no chain to undo one by one",
                            where=run.node.located.span, hint=BY_GRADIENT)
    return chain


def _shapes(probe: Probe, chain: list[RunStep]) -> list[tuple[int, ...]]:
    """The shape of each layer's bottom, and of the last top, for one item."""
    probe.forward(np.zeros((1, *probe.shape)))
    return [run.bottoms[0].shape for run in chain] + [chain[-1].tops[0].shape]


def _limits(below: list[RunStep], space: Space | None) -> tuple[np.ndarray | float, np.ndarray | float]:
    """Between which values the bottom of the layer behind ``below`` lies."""
    for run in reversed(below):
        if run.type not in _SAME_ORDER:
            return output_range(run.node)
    if space is None or not space.bounded:
        return -math.inf, math.inf
    return np.minimum(space.low, space.high), np.maximum(space.low, space.high)
