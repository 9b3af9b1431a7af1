"""Old spellings made current, in Caffe's order: V0 to V1, V1 to V2, ``input:``, BatchNorm; and ``solver_type``.

What the rest of netdef sees is the current syntax only, every field with the place where the old one stood. Each step
is a file of its own: ``upgrade_v0.py``, ``upgrade_v1.py``, ``upgrade_input.py``. The rules are those of Caffe's
src/caffe/util/upgrade_proto.cpp.
"""
from __future__ import annotations

from netdef.config import schema
from netdef.config.located import Located
from netdef.config.upgrade_input import freeze_statistics, learns, upgrade_input, warn_of_ignored
from netdef.config.upgrade_report import Change, Report
from netdef.config.upgrade_v0 import upgrade_v0
from netdef.config.upgrade_v1 import upgrade_v1
from netdef.errors import Collector, FieldError

__all__ = ["Change", "Report", "upgrade_net", "upgrade_solver"]


def upgrade_net(located: Located, report: Report | None = None) -> Located:
    """A net in the current syntax: a changed copy, or ``located`` itself where nothing is old.

    Changes go to ``report``; without one, those that matter are warned of, and the number of the others. Raises
    FieldError (ConfigErrors for several): ``layer`` and ``layers`` together, a V0 type that never was, padding that
    cannot be folded, ``input`` and shapes that do not fit together.
    """
    warn_of_ignored(located)
    message = located.message
    if not message.layers and not message.input and not any(learns(layer) for layer in message.layer):
        return located
    changes = report if report is not None else Report()
    located, errors = located.copy(), Collector()
    if message.layers:
        old = any(layer.HasField("layer") for layer in message.layers)
        changes.note(f"this net is in the {'V0 syntax of 2013' if old else 'V1 syntax of 2014'} and is read as current",
                     located.span_of("layers", 0))
        with errors:
            _refuse_both(located)
        upgrade_v0(located, changes, errors)
        upgrade_v1(located, changes)
    with errors:
        if message.input:
            upgrade_input(located, changes)
    freeze_statistics(located, changes)
    errors.raise_all()
    if report is None:
        changes.warn()
    return located


def _refuse_both(net: Located) -> None:
    if len(net.message.layer):
        raise FieldError("the net has both layer and layers, which is the same list in two spellings",
                         where=net.span_of("layers", 0), hint="Caffe refuses this net too")


_SOLVER_TYPES = {"SGD": "SGD", "NESTEROV": "Nesterov", "ADAGRAD": "AdaGrad", "RMSPROP": "RMSProp",
                 "ADADELTA": "AdaDelta", "ADAM": "Adam"}


def upgrade_solver(located: Located, report: Report | None = None) -> Located:
    """A solver whose rule is named by ``type``: a changed copy, or ``located`` itself where nothing is old.

    ``report`` is as in ``upgrade_net``. Raises FieldError where ``solver_type`` and ``type`` contradict each other.
    """
    if not located.message.HasField("solver_type"):
        return located
    changes = report if report is not None else Report()
    span = located.span_of("solver_type")
    names = {number: name for name, number in schema.enum_values("SolverParameter.SolverType").items()}
    new = _SOLVER_TYPES[names[located.message.solver_type]]
    if located.message.HasField("type") and located.message.type != new:
        raise FieldError(f"solver_type says {new}, type says {located.message.type}", where=span,
                         hint="drop solver_type")
    located = located.copy()
    located.set("type", new, span.noted("upgraded from solver_type"))
    located.clear("solver_type")
    changes.stress(f"'solver_type' is upgraded to type: \"{new}\"", span)
    if report is None:
        changes.warn()
    return located
