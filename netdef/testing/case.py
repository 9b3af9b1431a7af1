"""What the battery is told about a layer, and a small net around that layer to run it in."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netdef.config.load import parse_text_message
from netdef.config.located import Located
from netdef.layers import registry
from netdef.layers.base import Layer, LayerSpec, Need, Shape
from netdef.runtime.net import Net
from netdef.testing.gradients import Kink

Array = np.ndarray
Bottom = Sequence[int] | Array
Reference = Callable[..., Any]
FILE = "<check_layer>"
NAME = "checked"


class LayerCheckError(AssertionError):
    """A layer broke a rule of the battery; ``check`` is the rule's name."""

    def __init__(self, layer_type: str, check: str, text: str) -> None:
        super().__init__(f"{layer_type}: {check}: {text}")
        self.check = check


@dataclass(frozen=True)
class Case:
    """One configuration of one layer with its inputs; the fields are the arguments of ``check_layer``."""

    config: str
    bottoms: tuple[Array, ...]
    params: tuple[Array, ...] | None
    tops: int
    reference: Reference | None
    phase: str
    other: tuple[Array, ...] | None
    batch: tuple[int, ...]
    empty_batch: bool
    random: bool
    statistics: tuple[int, ...]
    gradient_tops: tuple[int, ...]
    step: float
    threshold: float
    kink: Kink | None
    tolerance: float
    float32_tolerance: float
    seed: int

    @property
    def layer_class(self) -> type[Layer]:
        """The class of the type in ``config``."""
        return registry.find(self._layer(False).message.type)

    def error(self, check: str, text: str) -> LayerCheckError:
        """A LayerCheckError of this layer."""
        return LayerCheckError(self._layer(False).message.type, check, text)

    def net(self, bottoms: Sequence[Array], in_place: bool, force_backward: bool) -> Located:
        """Input layers b0, b1, ... and the layer with tops t0, t1, ... (b0 in place of t0 if ``in_place``)."""
        inputs = "\n".join(
            f'layer {{ name: "in{i}" type: "Input" top: "b{i}" input_param {{ shape {{ '
            + " ".join(f"dim: {n}" for n in a.shape) + " } } }" for i, a in enumerate(bottoms))
        head = 'name: "check"\n' + ("force_backward: true\n" if force_backward else "")
        return parse_text_message(f"{head}{inputs}\n{self._text(in_place)}\n", FILE, "NetParameter")

    def make(self, change: Callable[[Any], None]) -> Layer:
        """The layer itself, without a net, after ``change(layer message)``; raises what its constructor raises."""
        located = self._layer(False)
        change(located.message)
        spec = LayerSpec(located, self.phase, self.layer_class.options_field, len(self.bottoms), self.tops)
        return self.layer_class(spec)

    def _layer(self, in_place: bool) -> Located:
        return parse_text_message(self._text(in_place), FILE, "NetParameter").child("layer", 0)

    def _text(self, in_place: bool) -> str:
        bottoms = " ".join(f'bottom: "b{i}"' for i in range(len(self.bottoms)))
        tops = " ".join(f'top: "{"b" if in_place and i == 0 else "t"}{i}"' for i in range(self.tops))
        return f'layer {{ name: "{NAME}" {bottoms} {tops} {self.config} }}'


def spread(shape: Shape, generator: np.random.Generator, low: float = -2.0, high: float = 2.0) -> Array:
    """Values in (low, high) in random order, evenly spaced: no two are equal, and maxima stay where they are.

    float64 of ``shape``, each exactly a float32.
    """
    n = int(np.prod(shape, dtype=np.int64))
    values = low + (high - low) * (np.arange(n) + 0.37) / max(n, 1)
    return generator.permutation(values).astype(np.float32).astype(np.float64).reshape(shape)


class Bench:
    """The net of a case, set up so that every forward starts from the same params, state and random numbers."""

    def __init__(self, case: Case, dtype: str = "float64", bottoms: Sequence[Array] | None = None,
                 in_place: bool = False, force_backward: bool = True) -> None:
        self.case = case
        start = case.bottoms if bottoms is None else tuple(bottoms)
        self.net = Net(case.net(start, in_place, force_backward), phase=case.phase, dtype=dtype, seed=case.seed)
        self.run = self.net.steps[-1]
        self.layer = self.run.layer
        self.params = self._first_params()
        self.state = self.layer.state()

    def _first_params(self) -> list[Array]:
        """Given values, or values of our own where the fillers may have left zeros, in which errors hide."""
        shapes = [b.shape for b in self.run.params]
        if self.case.params is not None:
            if [a.shape for a in self.case.params] != shapes:
                raise self.case.error("params", f"expected params of shapes {shapes}, got "
                                                f"{[a.shape for a in self.case.params]}")
            return [np.array(a, np.float64) for a in self.case.params]
        generator = np.random.default_rng(self.case.seed)
        return [spread(s, generator, -0.9, 1.1) for s in shapes]

    def forward(self, bottoms: Sequence[Array] | None = None, pass_number: int = 0) -> list[Array]:
        """Copies of the tops' data, from the same start each time."""
        values = self.case.bottoms if bottoms is None else bottoms
        for blob, value in zip(self.run.params, self.params, strict=True):
            blob.data[...] = value
        self.layer.set_state(self.state)
        self.net.pass_number = pass_number
        try:
            self.net.forward(**{f"b{i}": a for i, a in enumerate(values)})  # type: ignore[arg-type]
        except Exception as e:
            raise self.case.error("forward", f"failed for bottoms {[a.shape for a in values]} and tops "
                                             f"{[b.shape for b in self.run.tops]}: {type(e).__name__}: {e}") from e
        return [np.array(b.data) for b in self.run.tops]

    @property
    def differentiable(self) -> bool:
        """Whether the layer has any gradient to check."""
        return any(self.need.bottoms) or any(self.need.params)

    @property
    def need(self) -> Need:
        """Everything the layer can give: the bottoms it differentiates, the params that are not statistics."""
        bottoms = tuple(self.layer.differentiates(i) for i in range(len(self.run.bottoms)))
        params = tuple(i not in self.case.statistics for i in range(len(self.run.params)))
        return Need(bottoms, params)

    def backward(self, top_diffs: Sequence[Array], need: Need | None = None, param_start: float = 0.0
                 ) -> tuple[list[Array], list[Array]]:
        """Copies of the bottoms' and the params' diffs.

        Before it bottoms' diffs are NaN and params' diffs ``param_start``, so that what is not written shows.
        Tops that pass no gradient have NaN diffs.
        """
        for blob in self.run.params:
            blob.diff[...] = param_start
        for i, bottom in enumerate(self.run.bottoms):
            if bottom not in self.run.tops:
                self.run.bottoms[i].diff[...] = np.nan
        for i, top in enumerate(self.run.tops):
            top.diff[...] = top_diffs[i] if i in self.case.gradient_tops else np.nan
        try:
            self.layer.backward(self.run.context, self.run.tops, self.run.params, self.run.bottoms, need or self.need)
        except Exception as e:
            raise self.case.error("backward", f"failed for bottoms {[b.shape for b in self.run.bottoms]}: "
                                              f"{type(e).__name__}: {e}") from e
        return [np.array(b.diff) for b in self.run.bottoms], [np.array(b.diff) for b in self.run.params]

    def weights_of_tops(self) -> list[Array]:
        """A fixed random weight for each element of the tops: the gradient of the objective sum(weight * top)."""
        generator = np.random.default_rng(self.case.seed + 1)
        return [generator.uniform(0.5, 1.5, b.shape) * generator.choice((-1.0, 1.0), b.shape) for b in self.run.tops]
