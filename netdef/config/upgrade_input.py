"""What is old inside the current syntax: ``input:`` with its sizes, and BatchNorm's three ``param``.

The rules are those of Caffe's src/caffe/util/upgrade_proto.cpp.
"""
from __future__ import annotations

from typing import Any

from netdef.config import schema
from netdef.config.located import Located
from netdef.config.upgrade_report import Report
from netdef.config.upgrade_v1 import TRANSFORMS
from netdef.errors import FieldError, Span, warn


def upgrade_input(net: Located, report: Report) -> None:
    """``input`` with ``input_shape`` or ``input_dim`` becomes one Input layer, named input, in front, in place.

    Raises FieldError where ``input`` and its shapes do not fit together.
    """
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
        report.stress("'input' is upgraded to an Input layer named 'input'", span)
    else:
        report.stress("'input' without input_shape or input_dim says nothing and is dropped", span)
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


def learns(layer: Any) -> bool:
    """Whether a layer message is a BatchNorm whose three params would be changed by a solver."""
    return _batch_norm(layer) and any(p.lr_mult != 0 or p.decay_mult != 0 for p in layer.param)


def _batch_norm(layer: Any) -> bool:
    return layer.type == "BatchNorm" and len(layer.param) == 3


def freeze_statistics(net: Located, report: Report) -> None:
    """BatchNorm's mean, variance and factor are statistics: no solver moves them; in place."""
    for layer in net.children("layer"):
        if _batch_norm(layer.message):
            _freeze(layer, report)


def _freeze(layer: Located, report: Report) -> None:
    learning = [i for i, p in enumerate(layer.message.param) if p.lr_mult != 0]
    if learning:
        report.stress(f"layer '{layer.message.name}' (BatchNorm): its three param are statistics, their lr_mult and "
                      "decay_mult are taken as 0", layer.span_of("param", learning[0], "lr_mult"))
    for param in layer.children("param"):
        for field in ("lr_mult", "decay_mult"):
            if getattr(param.message, field) != 0:
                report.note(f"layer '{layer.message.name}' (BatchNorm): {field} of a statistic is taken as 0",
                            param.span_of(field), weight=0)
                param.set(field, 0.0, param.span_of(field).noted("upgraded to 0"))


def warn_of_ignored(net: Located) -> None:
    """Transformations written inside data_param or image_data_param, which Caffe ignores in the current syntax."""
    for layer in net.children("layer"):
        for home in ("data_param", "image_data_param"):
            if not layer.message.HasField(home):
                continue
            options = layer.child(home)
            for name in TRANSFORMS:
                if name in options.spans.fields and options.message.HasField(name):
                    warn(f"layer '{layer.message.name}' ({layer.message.type}): {home}.{name} has no effect, as in "
                         "Caffe", options.span_of(name), f"did you mean transform_param {{ {name}: ... }}?")
