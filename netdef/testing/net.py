"""Analytic against numeric gradients of a whole net, by its params and inputs."""
from __future__ import annotations

import numpy as np

from netdef.errors import NetdefError
from netdef.runtime.net import Net
from netdef.testing.gradients import Array, GradientReport, Kink, compare_gradients, numeric_gradient


def gradient_check(net: Net, step: float = 1e-4, threshold: float = 1e-4, samples: int | None = 20, seed: int = 0,
                   inputs: bool = True, kink: Kink | None = None) -> list[GradientReport]:
    """Compare backward with central differences of ``net.loss``, a report a learning param and Input blob.

    The net must be float64 and have a loss. Each evaluation sees the same data and the same random numbers, and the
    params that forward itself changes (BatchNorm's statistics) are put back. At most ``samples`` elements of each array
    are tried (None: all), the largest analytic gradient always among them. ``kink`` applies to the input blobs. The net
    is left as it was, but for the diffs and blobs of its last pass. Raises NetdefError.
    """
    if net.dtype != np.float64:
        raise NetdefError(f"gradient check: expected a float64 net, got {net.dtype}",
                          hint='make it with dtype="float64"')
    if not net.plan.losses:
        raise NetdefError("gradient check: the net has no loss",
                          hint="check the TRAIN net, or give a top a loss_weight")
    loss = _Loss(net)
    with loss:
        gradients = loss.gradients(inputs)
        generator = np.random.default_rng(seed)
        reports = []
        for name, (array, analytic) in gradients.items():
            at = _sample(analytic, samples, generator)
            numeric = numeric_gradient(loss, array, step, kink if name in loss.inputs else None, at)
            reports.append(compare_gradients(name, analytic, numeric, threshold))
    return reports


class _Loss:
    """The loss as a function of arrays that others change; inside ``with`` it restores what a pass moves."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.state = net.state()
        self.inputs = {name: np.array(net.blobs[name].data) for name in net.inputs}
        self.moved: list[tuple[Array, Array]] = []

    def __enter__(self) -> _Loss:
        """Find the params that a forward pass changes."""
        blobs = [self.net.param_blobs[p] for p in self.net.learnable()]
        before = [np.array(b.data) for b in blobs]
        self()
        self.moved = [(b.data, old) for b, old in zip(blobs, before, strict=True) if not np.array_equal(b.data, old)]
        return self

    def __exit__(self, *error: object) -> None:
        self.restore()

    def restore(self) -> None:
        """Back to the data, random numbers and statistics of the start."""
        for data, old in self.moved:
            data[...] = old
        self.net.set_state(self.state)

    def __call__(self) -> float:
        self.restore()
        self.net.forward(**self.inputs)  # type: ignore[arg-type]
        return self.net.loss

    def gradients(self, inputs: bool) -> dict[str, tuple[Array, Array]]:
        """Name -> (the array to change, a copy of its analytic gradient)."""
        self()
        self.net.clear_param_diffs()
        self.net.backward()
        found: dict[str, tuple[Array, Array]] = {}
        plan = self.net.plan
        used = {plan.params[p].owner for step in plan.steps if step.backward
                for p, n in zip(step.params, step.need.params, strict=True) if n}
        for p in plan.params:
            if p.owner == p.id and p.id in used:
                blob = self.net.param_blobs[p.id]
                found[f"{plan.description.layers[p.layer].name}/{p.init.name}"] = (blob.data, np.array(blob.diff))
        for value in plan.description.values if inputs else ():
            if value.blob in self.inputs and value.replaces is None and value.id in plan.with_gradient:
                found[value.blob] = (self.inputs[value.blob], self._diff(value.id))
        return found

    def _diff(self, value: int) -> Array:
        """The gradient of an Input blob; the sum over its users, which no layer below asks for."""
        edges = self.net.plan.sums.get(value)
        if edges is None:
            return np.array(self.net.executor.blobs[value].diff)
        return np.sum([self.net.executor.edges[e].diff for e in edges], axis=0)


def _sample(analytic: Array, samples: int | None, generator: np.random.Generator) -> list[int]:
    """Flat indices to try."""
    if samples is None or analytic.size <= samples:
        return list(range(analytic.size))
    drawn = generator.choice(analytic.size, samples - 1, replace=False)
    return sorted({int(np.abs(analytic).argmax()), *(int(i) for i in drawn)})

