"""Outputs of nets as numbers: of one pass, and averaged over the passes of a test."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from netdef.errors import SolverError
from netdef.runtime.net import Net
from netdef.solvers.events import Output
from netdef.solvers.precision import Precision


@dataclass(frozen=True)
class Scores:
    """Means over the passes of a test: of each number of each output, and of the net's loss."""

    outputs: list[Output]
    loss: float
    precision: Precision
    """what DetectionEvaluate layers gathered, whose mean average precision is among the outputs"""


@contextmanager
def quiet() -> Iterator[None]:
    """Without NumPy's warnings about numbers that are not finite: the solver reports those once, by the loss."""
    with np.errstate(all="ignore"):
        yield


def output_weights(net: Net) -> dict[str, float]:
    """The loss weight of each output of a net, 0 where it is no loss."""
    description, losses = net.plan.description, net.plan.losses
    newest = {v.blob: losses.get(v.id, 0.0) for v in description.values if not v.automatic}
    return {name: newest[name] for name in net.outputs}


def outputs_of(net: Net) -> list[Output]:
    """Every number of every output, as the last pass left them: outputs by name, numbers in memory order."""
    return [Output(name, float(value), weight) for name, weight in output_weights(net).items()
            for value in net.blobs[name].data.reshape(-1)]


def evaluate(net: Net, passes: int, go_on: Callable[[], bool],
             each: Callable[[int, list[Output]], None] | None = None, ap_version: str = "Integral",
             by_class: bool = False) -> Scores | None:
    """Run ``passes`` forward passes and average. None where ``go_on``, asked before each pass, says no.

    ``each`` gets the number of a pass and its outputs. Of a DetectionEvaluate layer's rows the outputs have the mean average
    precision by ``ap_version`` and, with ``by_class``, that of each class as ``NAME_class1``.
    Raises SolverError where an output changes its size between passes, for then there is no mean.
    """
    sums: dict[str, np.ndarray] = {}
    loss = 0.0
    precision = Precision(net, ap_version)
    for number in range(passes):
        if not go_on():
            return None
        with quiet():
            made = net.forward()
        for name, data in made.items():
            if name in precision.layers:
                precision.add(name, data)
                continue
            flat = data.reshape(-1).astype(np.float64)
            if name in sums and sums[name].size != flat.size:
                raise SolverError(f"test: output '{name}' had {sums[name].size} numbers and now has {flat.size}; "
                                  "their mean means nothing", hint="end it with a Silence layer")
            sums[name] = sums[name] + flat if name in sums else flat
        loss += net.loss
        if each is not None:
            each(number, [o for o in outputs_of(net) if o.name not in precision.layers])
    weights = output_weights(net)
    outputs = [Output(name, float(value) / passes, weights[name]) for name, total in sums.items() for value in total]
    for name in precision.layers if passes else ():
        outputs.append(Output(name, precision.mean(name)))
        if by_class:
            outputs += [Output(f"{name}_class{c}", ap) for c, (*_, ap) in precision.by_class(name).items()]
    return Scores(outputs, loss / passes if passes else 0.0, precision)
