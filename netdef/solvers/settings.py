"""The fields of a SolverParameter: checked once at the start, and never silently ignored."""
from __future__ import annotations

import math
from typing import Any

from netdef.config.located import Located
from netdef.errors import Collector, FieldError, did_you_mean, warn
from netdef.layers.constraints import Constraint, not_negative, positive

CHOICES = {"regularization_type": ("L2", "L1"), "eval_type": ("classification", "detection"),
           "ap_version": ("Integral", "11point", "MaxIntegral")}
GPU = 1  # SolverParameter.SolverMode
HDF5 = 0  # SolverParameter.SnapshotFormat

_RANGES: dict[str, Constraint] = {
    "average_loss": positive(),
    "display": not_negative(),
    "iter_size": positive(),
    "max_iter": not_negative(),
    "snapshot": not_negative(),
    "test_interval": not_negative(),
    "test_iter": not_negative(),
    "stepvalue": not_negative(),
    "ema_decay": Constraint(low=0, high=1, high_open=True),
}


def field_error(solver: Located, field: str, text: str, hint: str = "") -> FieldError:
    """``solver: gamma: missing``, at the place of the field, or of the solver where the field is not written."""
    return FieldError(f"solver: {field}: {text}", where=solver.span_of(field), hint=hint)


def check_settings(solver: Located, errors: Collector) -> None:
    """Collect a FieldError for every number out of range or not finite, and for a word that is none of a field's choices."""
    message = solver.message
    for descriptor, value in message.ListFields():
        with errors:
            _check_finite(solver, descriptor.name, value)
    for field, constraint in _RANGES.items():
        with errors:
            check_range(solver, field, constraint)
    for field, known in CHOICES.items():
        kind = getattr(message, field)
        if kind not in known:
            *first, last = known
            errors.add(field_error(solver, field, f"expected {', '.join(first)} or {last}, got '{kind}'",
                                   did_you_mean(kind, known)))


def check_range(solver: Located, field: str, constraint: Constraint) -> None:
    """Raise FieldError where a field is given and one of its values breaks the constraint."""
    if not solver.has(field):
        return
    for value in _values(getattr(solver.message, field)):
        if not constraint.allows(value):
            raise field_error(solver, field, f"expected {constraint}, got {value:g}")


def require(solver: Located, field: str, user: str, constraint: Constraint | None = None) -> None:
    """Raise FieldError where a field that ``user`` needs is missing or breaks the constraint."""
    if not solver.has(field):
        raise FieldError(f"solver: {field}: missing; {user} needs it", where=solver.span)
    if constraint is not None:
        check_range(solver, field, constraint)


def notice_settings(solver: Located) -> None:
    """Warn about every given field that has no effect here, or another one than in Caffe, and say why."""
    message = solver.message
    if message.HasField("solver_mode") and message.solver_mode == GPU:
        _notice(solver, "solver_mode", "netdef trains on the CPU")
    elif message.device_id:
        _notice(solver, "device_id", "netdef trains on the CPU")
    if message.HasField("layer_wise_reduce"):
        _notice(solver, "layer_wise_reduce", "it is about several GPUs and has no effect on one machine's CPU")
    if message.clip_gradients == 0:
        _notice(solver, "clip_gradients", "0 sets every gradient to zero, as in Caffe", "-1 turns clipping off")
    if message.debug_info and not message.display:
        _notice(solver, "debug_info", "shows the train net only in the iterations that display shows, and display is 0")


def _notice(solver: Located, field: str, text: str, hint: str = "") -> None:
    warn(f"solver: {field}: {text}", solver.span_of(field), hint)


def _check_finite(solver: Located, field: str, value: Any) -> None:
    for v in _values(value):
        if isinstance(v, float) and not math.isfinite(v):
            raise field_error(solver, field, f"expected a finite number, got {v:g}")


def _values(value: Any) -> Any:
    return value if hasattr(value, "append") else [value]
