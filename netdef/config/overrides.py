"""Values from the command line: ``--set path=value`` changes one field of a message that was read from a file.

``max_iter=100`` · ``net_param.layer[0].name=x`` · ``layer.conv1.convolution_param.num_output=30`` (an element by its
``name`` field; ``layer["a.b"]`` where the name has dots) · ``stepvalue=[100, 200]`` (the whole list) ·
``layer.conv1.param[0]={lr_mult: 0}``. The value is written as in YAML.
"""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from netdef.config import schema, yamltext
from netdef.config.bind import bind_into
from netdef.config.located import Located, Spans
from netdef.config.tree import Node
from netdef.errors import Collector, ConfigSyntaxError, FieldError, Span, closest, did_you_mean

FILE = "--set"
_STEP = re.compile(r"""\.?(?:(?P<name>[^.\[\]="]+)|"(?P<quoted>[^"]*)"|\[(?P<index>-?\d+)\]|\["(?P<key>[^"\]]*)"\])""")


@dataclass(frozen=True)
class _Step:
    """One step of a path: a name (of a field, or of an element) or an index, and its place."""

    text: str
    index: int | None
    span: Span


@dataclass
class _Place:
    """The message that a path has reached; ``who`` and ``path`` as error messages need them."""

    located: Located
    message_name: str
    who: str = ""
    path: str = ""


def apply(located: Located, message_name: str, options: Sequence[str], errors: Collector) -> None:
    """Change ``located`` by each ``path=value``; mistakes go to ``errors``, with the option's number as their line."""
    for number, option in enumerate(options, 1):
        with errors:
            _apply(located, message_name, option, number, errors)


def _apply(located: Located, message_name: str, option: str, number: int, errors: Collector) -> None:
    steps, value = _split(option, number)
    place = _Place(located, message_name)
    rest = list(steps)
    while True:
        info, rest, index = _field(place, rest)
        if not rest:
            break
        place = _enter(place, info, index, rest[0])
        rest = rest[1:] if index is None and info.repeated else rest
    last = steps[-1]
    if index is not None or not info.repeated:
        value = replace(value, name=info.name, span=last.span)
        _set_one(place, info, index, value, errors)
    else:
        place.located.clear(info.name)
        _bind(place, replace(value, name=info.name, span=last.span), errors)


def _split(option: str, number: int) -> tuple[list[_Step], Node]:
    """The steps of the path and the node of the value."""
    def span(start: int, end: int) -> Span:
        return Span(FILE, number, start + 1, max(1, end - start), option)

    steps: list[_Step] = []
    at = 0
    while at < len(option) and option[at] != "=":
        found = _STEP.match(option, at)
        if found is None:
            break
        text = next(g for g in found.groups() if g is not None)
        begin = found.end() - len(found.group().removeprefix("."))
        index = int(text) if found["index"] is not None else None
        steps.append(_Step(text.strip(), index, span(begin, found.end())))
        at = found.end()
    if not steps or steps[0].index is not None or option[at:at + 1] != "=":
        raise ConfigSyntaxError("expected path=value, as in max_iter=100 or layer.conv1.name=x",
                                where=span(at, at + 1) if at < len(option) else span(0, len(option)))
    blanks = " " * (at + 1)  # so that the value keeps its column
    try:
        node = yamltext.read_value(blanks + option[at + 1:], FILE, steps[-1].text)
    except ConfigSyntaxError as error:
        where = span(error.span.column - 1, error.span.column) if error.span else None
        raise ConfigSyntaxError(error.message, where=where, hint=error.hint) from None
    return steps, _moved(node, number, option)


def _moved(node: Node, number: int, option: str) -> Node:
    """The node with its spans in line ``number`` and the option as its text."""
    def move(span: Span) -> Span:
        return replace(span, line=number, text=option)

    value = [_moved(n, number, option) for n in node.value] if isinstance(node.value, list) else node.value
    return replace(node, value=value, span=move(node.span), value_span=move(node.value_span))


def _field(place: _Place, steps: list[_Step]) -> tuple[schema.FieldInfo, list[_Step], int | None]:
    """The field that the first step names, the steps behind it, and the index written after it."""
    known = schema.fields(place.message_name)
    step = steps[0]
    name = "layer" if place.message_name == "NetParameter" and step.text == "layers" else step.text
    if name not in known:
        begin = f"{place.who}: " if place.who else ""
        where = place.path or place.message_name
        raise FieldError(f"{begin}no field '{name}' in {where}", where=step.span, hint=did_you_mean(name, known))
    info, rest = known[name], steps[1:]
    if not rest or rest[0].index is None:
        return info, rest, None
    if not info.repeated:
        raise FieldError(f"'{name}' is one value, not a list", where=rest[0].span)
    count, index = len(getattr(place.located.message, name)), rest[0].index
    if not -count <= index < count:
        raise FieldError(f"'{name}' has {count} elements, there is no {name}[{index}]", where=rest[0].span)
    return info, rest[1:], index % count


def _enter(place: _Place, info: schema.FieldInfo, index: int | None, step: _Step) -> _Place:
    """Step into a field's message; ``step`` is the name of the element where the field is repeated."""
    if info.kind != "message" or info.type_name is None:
        raise FieldError(f"'{info.name}' is a value and has no fields", where=step.span)
    if info.repeated and index is None:
        index = _by_name(place, info, step)
    located = place.located.child(info.name, index)
    if index is None:
        located.message.SetInParent()
    if info.type_name == "LayerParameter":
        name, kind = located.message.name, located.message.type
        return _Place(located, info.type_name, f"layer '{name}'" + (f" ({kind})" if kind else ""))
    path = f"{place.path}.{info.name}" if place.path else info.name
    return _Place(located, info.type_name, place.who, path)


def _by_name(place: _Place, info: schema.FieldInfo, step: _Step) -> int:
    """The index of the element whose ``name`` is the step's text."""
    elements = getattr(place.located.message, info.name)
    known = schema.fields(info.type_name or "")
    if "name" not in known or step.text in known:
        raise FieldError(f"'{info.name}' is a list", where=step.span, hint=f"write {info.name}[0]")
    found = [i for i, element in enumerate(elements) if element.name == step.text]
    if len(found) == 1:
        return found[0]
    if found:
        choices = " or ".join(f"{info.name}[{i}]" for i in found)
        raise FieldError(f"{len(found)} elements of '{info.name}' are called '{step.text}'", where=step.span,
                         hint=f"say {choices}")
    near = closest(step.text, [element.name for element in elements])
    raise FieldError(f"no element of '{info.name}' is called '{step.text}'", where=step.span,
                     hint=f"did you mean '{near}'?" if near else "")


def _set_one(place: _Place, info: schema.FieldInfo, index: int | None, value: Node, errors: Collector) -> None:
    """Replace a single field, or one element of a repeated one."""
    if index is None:
        place.located.clear(info.name)
        _bind(place, value, errors)
        return
    fresh = replace(place, located=Located(schema.new(place.message_name), Spans(value.span)))
    _bind(fresh, value, errors)
    made = getattr(fresh.located.message, info.name)
    if len(made) == 1:
        element = fresh.located.child(info.name, 0) if info.kind == "message" else made[0]
        place.located.set(info.name, element, value.value_span, index)


def _bind(place: _Place, value: Node, errors: Collector) -> None:
    layer_type = place.located.message.type if place.message_name == "LayerParameter" else ""
    bind_into(place.located, place.message_name, [value], errors, place.who, place.path, layer_type)

