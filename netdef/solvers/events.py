"""What a solver tells its listeners: one dataclass an event. The solver itself prints nothing."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Output:
    """One number of a net's outputs; ``weight`` is its loss weight, 0 where it is no loss."""

    name: str
    value: float
    weight: float = 0.0


@dataclass(frozen=True)
class Event:
    """Base of the events; ``iter`` is the number of updates done so far."""

    iter: int


@dataclass(frozen=True)
class Started(Event):
    """``solve()`` begins."""

    net: str
    policy: str


@dataclass(frozen=True)
class Testing(Event):
    """Test net number ``net`` begins to run."""

    net: int


@dataclass(frozen=True)
class Tested(Event):
    """Means of a test net's outputs over its test_iter passes; ``loss`` only with test_compute_loss."""

    net: int
    outputs: list[Output]
    loss: float | None = None


@dataclass(frozen=True)
class TestInterrupted(Event):
    """A test net was left half-way because the user asked to stop."""

    net: int


@dataclass(frozen=True)
class IterationStarted(Event):
    """Gradients are cleared and tests done; the passes of this iteration come now."""


@dataclass(frozen=True)
class GradientsReady(Event):
    """All passes of this iteration are done; the update comes now."""

    loss: float


@dataclass(frozen=True)
class LayerShown(Event):
    """debug_info: the mean absolute value of one array of a layer, in the order in which Caffe goes through them.

    ``direction`` is "Forward" or "Backward", ``role`` "top", "bottom" or "param", ``part`` "data" or "diff"; names of
    blobs that several layers read are those of Caffe's split layers.
    """

    direction: str
    layer: str
    role: str
    blob: str
    part: str
    value: float


@dataclass(frozen=True)
class ParamsShown(Event):
    """debug_info: L1 and L2 norms of all params together, of values and of gradients, after a backward pass."""

    l1: tuple[float, float]
    l2: tuple[float, float]


@dataclass(frozen=True)
class GradientNorms(Event):
    """L2 norm of the gradient: of all params together and of each layer's, with gradient_norms."""

    total: float
    layers: dict[str, float]


@dataclass(frozen=True)
class Displayed(Event):
    """A display iteration: the smoothed loss, the outputs of the last pass, and the rate of the update to come.

    ``seconds`` passed since the last display, ``per_second`` is the iterations a second in them, ``interval`` the
    solver's `display`.
    """

    loss: float
    lr: float
    per_second: float
    seconds: float
    interval: int
    outputs: list[Output] = field(default_factory=list)


@dataclass(frozen=True)
class Updated(Event):
    """An update is done: the mean loss of its passes, and its learning rate."""

    loss: float
    lr: float


@dataclass(frozen=True)
class Snapshotting(Event):
    """A snapshot is being written to these paths."""

    weights: str
    state: str


@dataclass(frozen=True)
class Snapshotted(Event):
    """A snapshot is whole on the disk."""

    weights: str
    state: str


@dataclass(frozen=True)
class SnapshotDeleted(Event):
    """A snapshot of this run is gone, for snapshot_keep and snapshot_best keep others."""

    state: str


@dataclass(frozen=True)
class Monitored(Event):
    """The monitor was looked at: its value, the best one so far, and how many checks in a row were no better."""

    name: str
    value: float
    best: float
    waited: int


@dataclass(frozen=True)
class RateLowered(Event):
    """The policy plateau: the monitor no longer improves, so ``lr`` is the rate from now on."""

    lr: float


@dataclass(frozen=True)
class StoppedEarly(Event):
    """early_stop: the monitor ``name`` has not improved on ``best`` for ``checks`` checks."""

    name: str
    best: float
    checks: int


@dataclass(frozen=True)
class Restored(Event):
    """A snapshot was read; ``exact`` says whether the data position and the random numbers were in it."""

    state: str
    weights: str
    exact: bool


@dataclass(frozen=True)
class FinalLoss(Event):
    """The loss of one pass more after the last update (Caffe shows it where `display` divides the iteration)."""

    loss: float


@dataclass(frozen=True)
class Finished(Event):
    """``solve()`` ends; ``stopped`` where the user asked for it before max_iter."""

    stopped: bool


Listener = Callable[[Event], None]
