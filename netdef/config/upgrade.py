"""Old spellings made current: ``input:`` with its dimensions, ``solver_type``, and BatchNorm's three ``param``.

Each upgrade warns once with its place. What the rest of netdef sees is the current syntax only. The rules are those
of Caffe's src/caffe/util/upgrade_proto.cpp.
"""
from __future__ import annotations

from typing import Any

from netdef.config import schema
from netdef.config.located import Located
from netdef.errors import ConfigError, FieldError, Span, warn

V1_MESSAGE = "this net uses the V1 syntax of 2014 (layers, enum types); netdef reads the current syntax only"
_IGNORED = ("scale", "mean_file", "crop_size", "mirror")  # moved from the data layers to transform_param in 2014


def upgrade_net(located: Located) -> Located:
    """A net in the current syntax: a changed copy, or ``located`` itself where nothing is old.

    Raises ConfigError for V0 and V1 nets, FieldError where ``input`` and its shapes do not fit together.
    """
    if located.message.layers:
        raise ConfigError(V1_MESSAGE, where=located.span_of("layers", 0), hint="upgrade it first")
    _warn_of_ignored(located)
    frozen = [layer for layer in located.children("layer") if _learning_batch_norm(layer.message)]
    if not located.message.input and not frozen:
        return located
    located = located.copy()
    for layer in located.children("layer"):
        if _batch_norm(layer.message):
            _freeze(layer)
    if located.message.input:
        _upgrade_input(located)
    return located


# -- input: -------------------------------------------------------------------------------------------------


def _upgrade_input(net: Located) -> None:
    """``input`` with ``input_shape`` or ``input_dim`` becomes one Input layer, named input, in front."""
    message, span = net.message, net.span_of("input", 0)
    shapes = _shapes(net)
    if shapes:
        layer = Located.bare(schema.new("LayerParameter"))
        layer.spans.span = span.noted("upgraded from input")
        layer.set("name", "input", layer.span)
        layer.set("type", "Input", layer.span)
        for i, name in enumerate(message.input):
            layer.append("top", name, net.span_of("input", i))
        options = layer.child("input_param")
        options.message.SetInParent()
        for shape, place in shapes:
            options.append("shape", _shape(shape), place)
        net.insert("layer", 0, layer)
        warn("'input' is upgraded to an Input layer named 'input'", span)
    else:
        warn("'input' without input_shape or input_dim says nothing and is dropped", span)
    for old in ("input", "input_shape", "input_dim"):
        net.clear(old)


def _shapes(net: Located) -> list[tuple[list[int], Span]]:
    """The dimensions of each input and their place; none where the net gives none."""
    message = net.message
    names, given = len(message.input), len(message.input_shape)
    if given:
        if given != names:
            raise FieldError(f"{names} inputs, but {given} input_shape", where=net.span_of("input_shape", 0),
                             hint="give one input_shape for each input")
        return [(list(s.dim), net.span_of("input_shape", i)) for i, s in enumerate(message.input_shape)]
    dims = list(message.input_dim)
    if dims and len(dims) != 4 * names:
        raise FieldError(f"{names} inputs need {4 * names} input_dim, got {len(dims)}",
                         where=net.span_of("input_dim", 0), hint="input_shape takes any number of dimensions")
    return [(dims[i:i + 4], net.span_of("input_dim", i)) for i in range(0, len(dims), 4)]


def _shape(dims: list[int]) -> Any:
    shape = schema.new("BlobShape")
    shape.dim.extend(dims)
    return shape


# -- layers -------------------------------------------------------------------------------------------------


def _batch_norm(layer: Any) -> bool:
    return layer.type == "BatchNorm" and len(layer.param) == 3


def _learning_batch_norm(layer: Any) -> bool:
    return _batch_norm(layer) and any(p.lr_mult != 0 or p.decay_mult != 0 for p in layer.param)


def _freeze(layer: Located) -> None:
    """BatchNorm's mean, variance and factor are statistics: no solver moves them."""
    learning = [i for i, p in enumerate(layer.message.param) if p.lr_mult != 0]
    if learning:
        warn(f"layer '{layer.message.name}' (BatchNorm): its three param are statistics, their lr_mult and decay_mult "
             "are taken as 0", layer.span_of("param", learning[0], "lr_mult"))
    for param in layer.children("param"):
        for field in ("lr_mult", "decay_mult"):
            if getattr(param.message, field) != 0:
                param.set(field, 0.0, param.span_of(field).noted("upgraded to 0"))


def _warn_of_ignored(net: Located) -> None:
    """Transformations written inside data_param or image_data_param, which Caffe has ignored since 2014."""
    for layer in net.children("layer"):
        for home in ("data_param", "image_data_param"):
            if not layer.message.HasField(home):
                continue
            options = layer.child(home)
            for name in _IGNORED:
                if name in options.spans.fields and options.message.HasField(name):
                    warn(f"layer '{layer.message.name}' ({layer.message.type}): {home}.{name} has no effect, as in "
                         "Caffe", options.span_of(name), f"did you mean transform_param {{ {name}: ... }}?")


# -- solver -------------------------------------------------------------------------------------------------

_SOLVER_TYPES = {"SGD": "SGD", "NESTEROV": "Nesterov", "ADAGRAD": "AdaGrad", "RMSPROP": "RMSProp",
                 "ADADELTA": "AdaDelta", "ADAM": "Adam"}


def upgrade_solver(located: Located) -> Located:
    """A solver whose rule is named by ``type``: a changed copy, or ``located`` itself where nothing is old.

    Raises FieldError where ``solver_type`` and ``type`` contradict each other.
    """
    if not located.message.HasField("solver_type"):
        return located
    span = located.span_of("solver_type")
    names = {number: name for name, number in schema.enum_values("SolverParameter.SolverType").items()}
    new = _SOLVER_TYPES[names[located.message.solver_type]]
    if located.message.HasField("type") and located.message.type != new:
        raise FieldError(f"solver_type says {new}, type says {located.message.type}", where=span,
                         hint="drop solver_type")
    located = located.copy()
    located.set("type", new, span.noted("upgraded from solver_type"))
    located.clear("solver_type")
    warn(f"'solver_type' is upgraded to type: \"{new}\"", span)
    return located
