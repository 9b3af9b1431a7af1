"""Messages to YAML, in Caffe's long form or in the short form of layers."""
from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from netdef.config import schema
from netdef.config.options import SINKS, SOURCES, options_field
from netdef.config.spelling import value_text, yaml_text
from netdef.errors import ConfigError

_WIDTH = 100  # columns up to which a block stands on one line

# A YAML value in the making: the text of a scalar, a mapping or a list.
_Value = str | dict[str, Any] | list[Any]


def to_yaml(message: Any, short: bool = False) -> str:
    """The message as YAML; ``short`` writes layers in the short form wherever that says the same.

    Raises ConfigError for nets in the syntax of 2014, which YAML does not write.
    """
    return "".join(f"{line}\n" for line in _block(_mapping(message, short), 0)) or "{}\n"


# -- messages to values -------------------------------------------------------------------------------------


def _mapping(message: Message, short: bool) -> dict[str, Any]:
    net = message.DESCRIPTOR.name == "NetParameter"
    made: dict[str, Any] = {}
    for field, value in message.ListFields():
        if net and field.name == "layers":
            raise ConfigError("a net in the syntax of 2014 (layers) cannot be written as YAML", hint="upgrade it first")
        if net and field.name == "layer":
            made["layers"] = _layers(value, short)
        elif hasattr(value, "extend"):
            elements = [_value(field, element, short) for element in value]
            made[field.name] = elements[0] if len(elements) == 1 else elements
        else:
            made[field.name] = _value(field, value, short)
    return made


def _value(field: Any, value: Any, short: bool) -> _Value:
    return _mapping(value, short) if isinstance(value, Message) else value_text(field, value, yaml=True)


# -- layers -------------------------------------------------------------------------------------------------


def _layers(layers: Any, short: bool) -> list[Any]:
    made = []
    previous = None
    for layer in layers:
        made.append(_short(layer, previous) if short and _can_be_short(layer) else _mapping(layer, False))
        previous = layer
    return made


def _can_be_short(layer: Any) -> bool:
    """Whether the layer has a type, and a name that can be told from a field."""
    known = schema.fields("LayerParameter").get(layer.name)
    return layer.HasField("name") and layer.HasField("type") and (known is None or known.kind != "message")


def _short(layer: Any, previous: Any) -> dict[str, Any]:
    """``{name: {Type: {options}, other fields}}``."""
    fields = _mapping(layer, False)
    del fields["name"]
    made: dict[str, Any] = {}
    if _is_type_key(layer.type):
        del fields["type"]
        own = options_field(layer.type)
        inline = fields.get(own) if own is not None else None
        made[yaml_text(layer.type)] = inline or {}
        if own is not None and inline:
            del fields[own]
    _default(fields, "bottom", list(layer.bottom), _default_bottom(layer.type, previous))
    _default(fields, "top", list(layer.top), [] if layer.type in SINKS else [layer.name])
    return {yaml_text(layer.name): {**made, **fields}}


def _is_type_key(name: str) -> bool:
    """Whether a type can stand as a key: begun by a capital, so that it is no field and no misspelt one."""
    return name[:1].isupper() and name not in schema.fields("LayerParameter")


def _default_bottom(type_name: str, previous: Any) -> list[str] | None:
    """The bottom that the reader fills in; None where it would refuse to."""
    if type_name in SOURCES or previous is None:
        return []
    return list(previous.top) if len(previous.top) == 1 else None


def _default(fields: dict[str, Any], name: str, value: list[str], default: list[str] | None) -> None:
    """Leave out what is filled in anyway; write an empty list where nothing shall be."""
    if value == default:
        fields.pop(name, None)
    elif not value:
        fields[name] = []


# -- values to text -----------------------------------------------------------------------------------------


def _flow(value: _Value) -> str:
    """The value on one line."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"


def _block(mapping: dict[str, Any], indent: int) -> list[str]:
    """The lines of a mapping."""
    lines = []
    for key, value in mapping.items():
        lines += _entry(f"{key}:", value, indent, flow=key != "layers")
    return lines


def _entry(head: str, value: _Value, indent: int, flow: bool = True) -> list[str]:
    """The lines of ``head`` and its value: one if it fits, else an indented block."""
    space = " " * indent
    text = _flow(value)
    if isinstance(value, str) or not value or (flow and indent + len(head) + len(text) < _WIDTH):
        return [f"{space}{head} {text}"]
    lines = [f"{space}{head}"]
    if isinstance(value, dict):
        return lines + _block(value, indent + 2)
    for element in value:
        lines += _item(element, indent + 2)
    return lines


def _item(value: _Value, indent: int) -> list[str]:
    """The lines of a list's element."""
    if isinstance(value, dict) and len(value) == 1:  # a short layer: its name, then one line if it fits
        key, inner = next(iter(value.items()))
        if isinstance(inner, dict):
            lines = _entry(f"{key}:", inner, indent + 2)
            return [" " * indent + "- " + lines[0][indent + 2:], *lines[1:]]
    if isinstance(value, dict) and value:
        lines = _block(value, indent + 2)
        return [" " * indent + "- " + lines[0][indent + 2:], *lines[1:]]
    return [" " * indent + f"- {_flow(value)}"]
