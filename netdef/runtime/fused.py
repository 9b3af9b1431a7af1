"""Fused steps: several layers that the plan runs as one (see graph/fusions.py)."""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdef import kernels as K
from netdef.blob import Blob
from netdef.config.located import Located
from netdef.graph.fusions import Piece
from netdef.layers.base import Behind, Layer, LayerSpec, Need

if TYPE_CHECKING:
    from netdef.runtime.executor import RunStep


class FusedStep:
    """A ReLU on what the first layer makes. Looks like a RunStep to hooks that do not need the parts."""

    def __init__(self, runs: list[RunStep]) -> None:
        self.runs = runs
        self.head, self.tail = runs[0], runs[-1]
        self.name = " + ".join(run.name for run in runs)
        self.type = " + ".join(run.type for run in runs)
        self.node, self.step, self.layer = self.head.node, self.head.step, self.head.layer
        self.bottoms, self.tops = self.head.bottoms, self.tail.tops
        self.params = [blob for run in runs for blob in run.params]
        self.need = Need(self.head.need.bottoms, tuple(flag for run in runs for flag in run.need.params))
        self.slope: float | None = self.tail.layer.slope if self.tail.layer.follows == "relu" else None  # type: ignore[attr-defined]

    @property
    def backs(self) -> bool:
        """Whether any of its layers has a backward to run."""
        return any(run.step.backward for run in self.runs)

    def forward(self) -> None:
        """Run all layers."""
        self._activated(self.layer, self.head.params)

    def _activated(self, layer: Layer, params: list[Blob]) -> None:
        """The first layer, writing what the last one should, and the ReLU where it does not apply that itself."""
        context = self.head.context
        context.negative_slope = self.slope
        try:
            layer.forward(context, self.bottoms, params, self.tops)
        finally:
            context.negative_slope = None
        if self.slope is not None and not layer.activates:
            y = self.tops[0].data
            K.relu_forward(y, self.slope, y)

    def backward(self) -> None:
        """Run all layers backward."""
        context, top = self.head.context, self.tops[0]
        assert self.slope is not None
        if self.layer.activates == "both":
            context.negative_slope = self.slope
        else:
            K.relu_backward(top.data, top.diff, self.slope, top.diff)
        try:
            self.layer.backward(context, self.tops, self.head.params, self.bottoms, self.head.need)
        finally:
            context.negative_slope = None

    def part(self) -> None:
        """After a fused forward: put down what the layers' own backward passes would have found."""


class NormStep(FusedStep):
    """BatchNorm with the Scale, the ReLU or both behind it."""

    def __init__(self, runs: list[RunStep]) -> None:
        super().__init__(runs)
        self.scale = next((run for run in runs if run.layer.follows == "scale"), None)

    def _behind(self, gradients: bool) -> Behind:
        run = self.scale
        if run is None:
            return Behind(slope=self.slope)
        data = [blob.data for blob in run.params] + [None] * (2 - len(run.params))
        diffs = [blob.diff if gradients and need else None
                 for blob, need in zip(run.params, run.need.params, strict=True)] + [None] * (2 - len(run.params))
        return Behind(data[0], data[1], diffs[0], diffs[1], self.slope)

    def forward(self) -> None:
        """One sweep for the statistics, one for the rest."""
        self.layer.forward_with(self.head.context, self.bottoms, self.head.params, self.tops,  # type: ignore[attr-defined]
                                self._behind(False))

    def backward(self) -> None:
        """One sweep for the sums, one for the gradient."""
        self.layer.backward_with(self.head.context, self.bottoms, self.tops, self._behind(True))  # type: ignore[attr-defined]

    def part(self) -> None:
        """The Scale's copy of what it multiplied, where it keeps one."""
        made = self.head.context.workspace.get("standardized")
        if self.scale is not None and made is not None and "x" in self.scale.inferred.workspace:
            np.copyto(self.scale.context.workspace["x"], made)


class FoldedStep(FusedStep):
    """A convolution of a frozen net whose weights take in the BatchNorm and Scale behind it; made at the first pass."""

    def __init__(self, runs: list[RunStep]) -> None:
        super().__init__(runs)
        self.folded = _with_bias(self.head)
        self.made: list[Blob] | None = None

    def forward(self) -> None:
        """The convolution, with other weights."""
        if self.made is None:
            self.made = self._make()
        self._activated(self.folded, self.made)

    def _make(self) -> list[Blob]:
        """Weights and bias: y = (conv - mean) / divisor * scale + offset, multiplied out in float64."""
        weights = self.head.params[0].data.astype(np.float64)
        bias = (self.head.params[1].data.astype(np.float64) if len(self.head.params) > 1 else np.zeros(len(weights)))
        for run in self.runs[1:]:
            if run.layer.follows == "relu":
                continue
            factor, offset = run.layer.as_affine(run.params)  # type: ignore[attr-defined]
            weights *= factor.reshape(-1, *[1] * (weights.ndim - 1))
            bias = bias * factor + offset
        made = []
        for name, values in (("weights", weights), ("bias", bias)):
            blob = Blob(name, values.shape, self.head.context.dtype)
            blob.data[...] = values
            blob.data.flags.writeable = False
            made.append(blob)
        return made


def _with_bias(run: RunStep) -> Layer:
    """The same layer with a bias."""
    spec, located = run.node.spec, run.node.located
    message = type(located.message)()
    message.CopyFrom(located.message)
    getattr(message, spec.options_field or "").bias_term = True
    return type(run.layer)(LayerSpec(Located(message, located.spans), spec.phase, spec.options_field, spec.num_bottoms,
                                     spec.num_tops, spec.peeked))


def fused_step(piece: Piece, runs: list[RunStep]) -> FusedStep:
    """The step for a piece of several layers."""
    kind = {"activation": FusedStep, "norm": NormStep, "fold": FoldedStep}[piece.kind]
    return kind([runs[i] for i in piece.layers])
