"""What stands in for layers that are not here, so that a net can be looked at and its gradients followed past them.

A type that netdef does not know, a Python layer without its module, a data layer without its data: each becomes a
layer that runs nothing, says what is assumed of it (``assumed``), and has the shapes of its tops as far as they are
known (``standin.py``). ``build.survey`` replaces all of these; elsewhere only missing data and modules are replaced.
"""
from __future__ import annotations

from typing import Any

from netdef.errors import NetdefError
from netdef.layers.base import Layer, LayerSpec, Shape, at_least

# Python layers of well-known repositories whose backward does nothing at all, by (module, class). From the published
# code of py-faster-rcnn (rbgirshick) and those that took these files over (R-FCN, OHEM).
PASSES_NOTHING = {
    ("roi_data_layer.layer", "RoIDataLayer"),
    ("rpn.anchor_target_layer", "AnchorTargetLayer"),
    ("rpn.proposal_layer", "ProposalLayer"),
    ("rpn.proposal_target_layer", "ProposalTargetLayer"),
}


class Assumed(Layer):
    """Base of all stand-ins."""

    bottoms = at_least(0)
    tops = at_least(0)
    in_place = "yes"
    backward_reads = frozenset()
    assumed: str = ""
    shapes: tuple[Shape | None, ...] = ()  # of the tops; fewer, or None: not known


class UnknownType(Assumed):
    """A type that is not registered."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.assumed = f"the type {spec.type} is not known here: "
        if spec.message.propagate_down:
            self.differentiable = tuple(spec.message.propagate_down)
            self.assumed += "it is taken to pass gradients as its propagate_down says"
        elif spec.num_bottoms == 0:
            self.assumed += "it is taken for a source of data"
        else:
            self.assumed += self.guess()
        if spec.message.param:
            n = len(spec.message.param)
            self.assumed += f", and to have the {n} param{'' if n == 1 else 's'} written for it"

    def guess(self) -> str:
        """What is assumed where the config says nothing."""
        return "it is taken to pass gradients to all its bottoms"

    def why_constant(self, bottom: int) -> str:
        return f"{self.spec.type}, a type that is not known here, is taken to give none by its bottom {bottom}"


class UnknownLoss(UnknownType):
    """An unregistered type whose name ends in Loss."""

    tops = at_least(1)
    is_loss = True

    def guess(self) -> str:
        self.differentiable = (True, False, True)
        return "it is taken for a loss that gives gradients by all its bottoms but number 1, the labels"


class PythonCode(Assumed):
    """A Python layer whose module is not read."""

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        m = spec.message.python_param
        self.class_name = m.layer
        self.assumed = f"{m.module}.{m.layer} is Python code that is not read; "
        if known_python(spec.message):
            self.differentiable = False
            self.assumed += "its backward is known to do nothing"
        elif unsure(spec.message):
            self.assumed += "whether its backward passes a gradient, only it knows"
        else:
            self.differentiable = tuple(spec.message.propagate_down) or True
            self.assumed += "it is taken to pass gradients as the config says"

    def why_constant(self, bottom: int) -> str:
        return f"{self.class_name} (Python) passes nothing down; what it makes is taken as constant"


class StandIn(Assumed):
    """Mixed into a registered type that cannot be made here: its options are wrong, or its data are missing."""

    def __init__(self, spec: LayerSpec) -> None:
        try:
            super().__init__(spec)
        except NetdefError:
            self.spec, self.options = spec, spec.options  # what its own __init__ came to has to do


def unknown_class(message: Any) -> type[Layer]:
    """The stand-in's class for a type that is not registered."""
    if message.type == "Python":
        return PythonCode
    return UnknownLoss if message.type.endswith("Loss") else UnknownType


def known_python(message: Any) -> bool:
    """Whether a layer is Python code of which ``PASSES_NOTHING`` says all there is to know."""
    return message.type == "Python" and (message.python_param.module, message.python_param.layer) in PASSES_NOTHING


def unsure(message: Any) -> bool:
    """Whether only Python code knows if a layer passes gradients: nothing in the config says so."""
    says = message.propagate_down or message.python_param.numeric_gradient or known_python(message)
    return message.type == "Python" and not says


def stand_in(cls: type[Layer], spec: LayerSpec, error: NetdefError | None) -> Layer:
    """An instance for a registered type that cannot be made; ``error`` says why, None where that was said before."""
    if cls.type == "Python":
        return PythonCode(spec)
    names = {k: getattr(cls, k) for k in ("in_place", "backward_reads", "bottoms", "tops", "__doc__", "type")}
    layer: Assumed = type(cls.__name__, (StandIn, cls), names)(spec)
    why = f": {error.message.removeprefix(f'{spec.who}: ')}" if error is not None else ""
    layer.assumed = f"cannot be made here, so its shapes are unknown{why}"
    return layer
