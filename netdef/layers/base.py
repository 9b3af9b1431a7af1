"""What a layer is: one class that knows its options, its shapes, its formula and its gradient, and nothing else.

A layer never sees its neighbours, files or the solver. Fan-out sums, sharing, phase, dtype and loss weights are the
plan's business. Open ``relu.py`` for the shortest whole example.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from netdef.errors import FieldError, ShapeError, warn
from netdef.layers.constraints import Constraint, check_constraints

if TYPE_CHECKING:
    import numpy as np

    from netdef.blob import Blob
    from netdef.config.located import Located
    from netdef.errors import Span
    from netdef.rng import Stream

Shape = tuple[int, ...]


class Arity(NamedTuple):
    """How many blobs: from ``least`` to ``most`` (None: any number)."""

    least: int
    most: int | None

    def allows(self, n: int) -> bool:
        """Whether ``n`` blobs are allowed."""
        return self.least <= n and (self.most is None or n <= self.most)

    def __str__(self) -> str:
        if self.least == self.most:
            return str(self.least)
        return f"at least {self.least}" if self.most is None else f"{self.least} to {self.most}"


def exactly(n: int) -> Arity:
    """Arity: just ``n``."""
    return Arity(n, n)


def at_least(n: int) -> Arity:
    """Arity: ``n`` or more."""
    return Arity(n, None)


def between(least: int, most: int) -> Arity:
    """Arity: from ``least`` to ``most``."""
    return Arity(least, most)


class Array(NamedTuple):
    """Shape and dtype of a workspace or scratch array; dtype ``real`` is the net's own."""

    shape: Shape
    dtype: str = "real"


@dataclass(frozen=True)
class ParamInit:
    """A learnable blob at birth: its name for people, its shape, and the filler that gives its first values.

    ``filler`` is a FillerParameter message, a constant, an array of the shape, or None (zeros). ``option`` is the option
    the filler was written in, so that an error about it can be located. ``learns`` False: no solver ever moves it,
    whatever lr_mult says; the layer's own forward does (BatchNorm's statistics).
    """

    name: str
    shape: Shape
    filler: Any = None
    option: str = ""
    learns: bool = True


@dataclass(frozen=True)
class Inferred:
    """What a layer needs and makes for given bottom shapes.

    ``workspace`` is written by forward and read by backward; ``scratch`` is worthless after each call.
    ``macs`` counts the multiply-adds of one forward pass.
    """

    tops: Sequence[Shape]
    params: Sequence[ParamInit] = ()
    workspace: Mapping[str, Array] = field(default_factory=dict)
    scratch: Mapping[str, Array] = field(default_factory=dict)
    macs: int = 0


class Need(NamedTuple):
    """Which gradients are wanted: one flag a bottom, one a param."""

    bottoms: tuple[bool, ...]
    params: tuple[bool, ...]


@dataclass
class Context:
    """What a layer gets besides blobs: the phase, the number of the pass, random numbers and its arrays.

    ``backward``: whether the net may ask this layer for gradients (else forward need keep nothing for them).
    ``negative_slope``: of a ReLU that the plan has put into this layer's step; None: there is none.
    """

    phase: str
    iteration: int
    dtype: np.dtype
    rng: Stream
    workspace: dict[str, np.ndarray]
    scratch: dict[str, np.ndarray]
    backward: bool = True
    negative_slope: float | None = None


class Behind(NamedTuple):
    """What a layer does for those behind it in the same step: factors and offsets by channel with their gradients, and a
    ReLU's slope. None: nothing of the kind."""

    scale: np.ndarray | None = None
    bias: np.ndarray | None = None
    dscale: np.ndarray | None = None
    dbias: np.ndarray | None = None
    slope: float | None = None


class LayerSpec:
    """One layer as written in the config: its message with spans, its phase and how many blobs it has.

    ``peeked`` is what a data layer's class method ``peek`` found out about its source.
    """

    def __init__(self, located: Located, phase: str, options_field: str | None, num_bottoms: int, num_tops: int,
                 peeked: Any = None) -> None:
        self.located = located
        self.message = located.message
        self.name: str = self.message.name
        self.type: str = self.message.type
        self.phase = phase
        self.options_field = options_field
        self.num_bottoms = num_bottoms
        self.num_tops = num_tops
        self.peeked = peeked
        self._said: set[str] = set()

    @property
    def options(self) -> Any:
        """The message with this type's options (defaults where the config gives none)."""
        return getattr(self.message, self.options_field) if self.options_field else None

    @property
    def who(self) -> str:
        """``layer 'ip1' (InnerProduct)``, the subject of every message."""
        return f"layer '{self.name}' ({self.type})"

    @property
    def in_place(self) -> bool:
        """Whether top 0 overwrites bottom 0."""
        m = self.message
        return len(m.bottom) > 0 and len(m.top) > 0 and m.bottom[0] == m.top[0]

    def has(self, option: str) -> bool:
        """Whether the config gives this option."""
        if self.options_field is None or not self.message.HasField(self.options_field):
            return False
        return has_field(self.options, option)

    def span(self, *path: str | int) -> Span:
        """Where the field at ``path`` (from the layer's message) was written, or the layer itself."""
        return self.located.span_of(*path)

    def option_span(self, option: str = "") -> Span:
        """Where an option was written, or the options message, or the layer."""
        path = [p for p in (self.options_field, option) if p]
        return self.located.span_of(*path)

    def error(self, text: str, option: str = "", hint: str = "") -> FieldError:
        """A FieldError about an option, located in the config: ``raise self.spec.error("...", "kernel_size")``."""
        where = f"{option}: " if option else ""
        return FieldError(f"{self.who}: {where}{text}", where=self.option_span(option), hint=hint)

    def warn(self, text: str, option: str = "", hint: str = "") -> None:
        """A warning about an option, located in the config; each text is said once, however often the layer runs."""
        if text not in self._said:
            self._said.add(text)
            where = f"{option}: " if option else ""
            warn(f"{self.who}: {where}{text}", self.option_span(option), hint)

    def shape_error(self, text: str, bottom: int | None = None, option: str = "", hint: str = "") -> ShapeError:
        """A ShapeError; ``bottom`` names the bottom it is about, so that graph/infer adds where that was made."""
        span = self.span("bottom", bottom) if bottom is not None and not option else self.option_span(option)
        error = ShapeError(f"{self.who}: {text}", where=span, hint=hint)
        error.bottom = bottom  # type: ignore[attr-defined]
        return error


def has_field(message: Any, name: str) -> bool:
    """Whether a message gives a field: present if singular, not empty if repeated."""
    value = getattr(message, name)
    return message.HasField(name) if not hasattr(value, "append") and not hasattr(value, "add") else len(value) > 0


class Layer:
    """Base of every layer type.

    Class attributes say what can be said as data:

    ``options_field``   the field of LayerParameter that holds the type's options
    ``bottoms, tops``   arity
    ``same_number``     as many tops as bottoms (Convolution over several blobs)
    ``differentiable``  one flag a bottom (the last one goes for the rest), or one for all
    ``is_loss``         top 0 counts as a loss unless loss_weight says otherwise; missing tops are made
    ``in_place``        "yes": values and gradient are right in place; "values": only the values; "no"
    ``backward_reads``  of "bottoms", "tops", "top signs": which data backward looks at
    ``keeps_sign``      in place, no value changes its sign where a gradient passes (so that a ReLU before it is safe)
    ``identity``        changes nothing at all (Dropout in the TEST phase)
    ``dynamic``         the tops' shapes are known only after forward
    ``param_names``     the params that infer gives, known without shapes; set in __init__ where options decide
    ``formula_case``    which case of the docstring's Formula applies (its label), where neither phase nor option says
    ``takes``           what the plan may let it do in the same step for the layers behind it: "scale", "relu"
    ``follows``         as which of these it may be taken into the step before it; "norm": into frozen weights only
    ``activates``       "forward" or "both": there it applies ``ctx.negative_slope`` itself; else the executor does
    ``folds``           a frozen net may multiply what follows into its weights (axis 0) and bias
    ``statistics``      those of them that the layer keeps itself (ParamInit.learns is False)
    ``constraints``     option -> Constraint
    """

    type: ClassVar[str] = ""
    options_field: ClassVar[str | None] = None
    bottoms: ClassVar[Arity] = exactly(1)
    tops: ClassVar[Arity] = exactly(1)
    same_number: ClassVar[bool] = False
    differentiable: bool | tuple[bool, ...] = True
    is_loss: ClassVar[bool] = False
    in_place: str = "no"
    backward_reads: frozenset[str] = frozenset({"bottoms", "tops"})
    keeps_sign: bool = False
    identity: bool = False
    dynamic: ClassVar[bool] = False
    param_names: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    formula_case: str = ""
    takes: tuple[str, ...] = ()
    follows: str = ""
    activates: str = ""
    folds: ClassVar[bool] = False
    constraints: ClassVar[Mapping[str, Constraint]] = {}

    def __init__(self, spec: LayerSpec) -> None:
        """Hold the options; raises FieldError (or ConfigErrors) where one breaks a constraint."""
        self.spec = spec
        self.options = spec.options
        check_constraints(spec, self.constraints)

    @property
    def name(self) -> str:
        """The layer's name in the config."""
        return self.spec.name

    def differentiates(self, bottom: int) -> bool:
        """Whether backward gives a gradient for this bottom."""
        flags = self.differentiable
        return flags if isinstance(flags, bool) else flags[min(bottom, len(flags) - 1)]

    def why_constant(self, bottom: int) -> str:
        """Why there is no gradient for a bottom that ``differentiates`` denies, for `netdef explain`."""
        return f"{self.spec.type} does not differentiate its bottom {bottom}; it is taken as constant"

    @classmethod
    def peek(cls, spec: LayerSpec) -> Any:
        """Data layers: look at the source and say its shapes; called once, in describe. Others: None."""
        return None

    def infer(self, bottom_shapes: Sequence[Shape]) -> Inferred:
        """Shapes of tops, params and arrays for these bottoms; pure. Raises ShapeError."""
        raise NotImplementedError(f"{type(self).__name__}.infer")

    def forward(self, ctx: Context, bottoms: Sequence[Blob], params: Sequence[Blob], tops: Sequence[Blob]) -> None:
        """Compute the tops' data from the bottoms' data."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(self, ctx: Context, tops: Sequence[Blob], params: Sequence[Blob], bottoms: Sequence[Blob],
                 need: Need) -> None:
        """Overwrite the bottoms' diffs and add to the params' diffs, only where ``need`` says."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    def state(self) -> dict[str, Any]:
        """Whatever outlives a pass (a data cursor, a recurrent state); empty for most."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state`` gave."""

    def record_at(self, item: int) -> int | None:
        """Data layers: which record of the source was this item of the last batch. None where that is not known."""
        return None

    def close(self) -> None:
        """Release files and sources; called when the net is closed."""


def check_axis(spec: LayerSpec, axis: int, ndim: int, option: str = "axis", extra: int = 0) -> int:
    """``axis`` counted from the front; negative ones count from the end. Raises ShapeError beyond -ndim..ndim-1+extra."""
    if not -(ndim + extra) <= axis < ndim + extra:
        raise spec.shape_error(f"{option} {axis} does not exist in a bottom of {ndim} axes", 0, option)
    return axis + ndim + extra if axis < 0 else axis
