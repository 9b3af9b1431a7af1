"""Binds a tree to a message of the schema: every name becomes a field, every text a value of the field's type.

Mistakes are collected: the bad field is dropped and the binding goes on, so that one run reports all of them.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from netdef.config import dialects, schema
from netdef.config.located import Located, Spans
from netdef.config.options import options_field
from netdef.config.scalars import BadValue, parse
from netdef.config.tree import Node
from netdef.errors import Collector, FieldError, Span, did_you_mean

if TYPE_CHECKING:
    from netdef.config.schema import FieldInfo

_IN_WORDS = {"NetParameter": "the net", "SolverParameter": "the solver", "LayerParameter": "layer",
             "V1LayerParameter": "layers", "V0LayerParameter": "layers.layer",
             "PreprocessingParameter": "the preprocessing", "RecipeParameter": "the recipe"}
_SIMPLE = {"bool": "true or false", "string": "a string", "bytes": "a string", "float": "a number",
           "double": "a number", "enum": "a name"}


def bind(node: Node, message_name: str, collector: Collector | None = None) -> Located:
    """The message of this name with the fields of a ``message`` node, and the place of each.

    FieldErrors go to ``collector``; without one they are raised together, as one FieldError or as ConfigErrors.
    """
    errors = collector if collector is not None else Collector()
    located = Located(schema.new(message_name), Spans(node.span))
    bind_into(located, message_name, node.children, errors)
    if collector is None:
        errors.raise_all()
    return located


def bind_into(located: Located, message_name: str, nodes: list[Node], errors: Collector, who: str = "",
              path: str = "", layer_type: str = "") -> None:
    """Bind fields into a message that may have some already.

    ``who`` begins every message ("layer 'ip1' (InnerProduct)"), ``path`` leads from there to this message.
    """
    context = _Context(message_name, who, path, layer_type)
    _Binder(errors).fields(located.message, located.spans, nodes, context)


@dataclass(frozen=True)
class _Context:
    """Where the binder is: the message's name, whose it is, and the fields that lead to it."""

    message_name: str
    who: str = ""
    path: str = ""
    layer_type: str = ""

    def inside(self, node: Node, info: FieldInfo) -> _Context:
        """The context of the message in a field."""
        name = info.type_name or ""
        if name in ("LayerParameter", "V1LayerParameter", "V0LayerParameter"):
            old = node.find("layer") if name == "V1LayerParameter" else None  # V0 has name and type inside
            return _Context(name, layer_in_words(old if old is not None else node), "", _text(node, "type"))
        path = f"{self.path}.{node.name}" if self.path else node.name
        return replace(self, message_name=name, path=path)

    def begin(self) -> str:
        return f"{self.who}: " if self.who else ""

    def field(self, name: str) -> str:
        """A field as messages call it: ``layer 'ip1' (InnerProduct): inner_product_param.num_output``."""
        return self.begin() + (f"{self.path}.{name}" if self.path else name)


def layer_in_words(node: Node) -> str:
    """``layer 'ip1' (InnerProduct)``, as far as name and type are written."""
    name, type_name = _text(node, "name"), _text(node, "type")
    who = f"layer '{name}'" if name else "a layer without a name"
    return f"{who} ({type_name})" if type_name else who


def _text(node: Node, name: str) -> str:
    found = node.find(name)
    return found.text if found is not None else ""


class _Binder:
    def __init__(self, errors: Collector) -> None:
        self.errors = errors

    def fields(self, message: Any, spans: Spans, nodes: list[Node], context: _Context) -> None:
        """Bind nodes to the fields of ``message``, whose places are ``spans``."""
        known = schema.fields(context.message_name)
        before = len(self.errors.found)
        for node in nodes:
            info = known.get(node.name)
            if info is None:
                self._unknown(node, known, context)
            elif info.repeated:
                self._repeated(message, spans, node, info, context)
            else:
                self._single(message, spans, node, info, context)
        spans.broken = spans.broken or len(self.errors.found) > before

    def _repeated(self, message: Any, spans: Spans, node: Node, info: FieldInfo, context: _Context) -> None:
        values = getattr(message, node.name)
        places = spans.fields.setdefault(node.name, [])
        assert isinstance(places, list)
        for element in node.values():
            if info.kind == "message":
                if self._is_block(element, node.name, context):
                    inner = Spans(element.span)
                    places.append(inner)
                    self._block(values.add(), inner, element, context.inside(element, info))
            elif self._is_scalar(element, node.name, info, context):
                value = self._value(element, node.name, info, context)
                if value is not None:
                    values.append(value)
                    places.append(Spans(element.value_span))

    def _single(self, message: Any, spans: Spans, node: Node, info: FieldInfo, context: _Context) -> None:
        name = node.name
        before = spans.fields.get(name)
        if before is not None:
            first = before.span if isinstance(before, Spans) else node.span
            self._error(f"{context.field(name)} is given twice, first in line {first.line}", node.span)
        elif node.kind == "list":
            self._error(f"{context.field(name)}: expected one value, got a list", node.value_span)
        elif info.kind == "message":
            if self._is_block(node, name, context):
                inner = spans.fields[name] = Spans(node.span)
                value = getattr(message, name)
                value.SetInParent()
                self._block(value, inner, node, context.inside(node, info))
        elif self._is_scalar(node, name, info, context):
            value = self._value(node, name, info, context)
            if value is not None:
                setattr(message, name, value)
            spans.fields[name] = Spans(node.value_span)

    def _block(self, message: Any, spans: Spans, node: Node, context: _Context) -> None:
        """Bind a block's fields, and see that those are there which must be."""
        self.fields(message, spans, node.children, context)
        for info in schema.fields(context.message_name).values():
            if info.required and info.name not in spans.fields:
                self._error(f"{context.begin()}{context.path} needs the field '{info.name}'", node.span)

    def _value(self, node: Node, name: str, info: FieldInfo, context: _Context) -> Any:
        """The scalar's value, or None after an error."""
        try:
            return parse(info, node)
        except BadValue as bad:
            text = f"{context.field(name)}: expected {bad.expected}, got {node.shown()}"
            self._error(text, node.value_span, bad.hint)
            return None

    def _is_block(self, node: Node, name: str, context: _Context) -> bool:
        if node.kind in ("message", "empty"):
            return True
        self._error(f"{context.field(name)}: expected a block {{ ... }}, got {node.shown()}", node.value_span)
        return False

    def _is_scalar(self, node: Node, name: str, info: FieldInfo, context: _Context) -> bool:
        if node.kind not in ("message", "list", "empty"):
            return True
        expected = _SIMPLE.get(info.kind, "an integer")
        self._error(f"{context.field(name)}: expected {expected}, got {node.shown()}", node.value_span)
        return False

    def _unknown(self, node: Node, known: dict[str, FieldInfo], context: _Context) -> None:
        place = context.path or _IN_WORDS.get(context.message_name, context.message_name)
        hint = (dialects.hint(context.message_name, node.name) or _elsewhere(node.name, context)
                or did_you_mean(node.name, known))
        self._error(f"{context.begin()}no field '{node.name}' in {place}", node.span, hint)

    def _error(self, text: str, where: Span, hint: str = "") -> None:
        self.errors.add(FieldError(text, where=where, hint=hint))


def _elsewhere(name: str, context: _Context) -> str:
    """A hint for a field that exists, but in another message."""
    if context.message_name == "NetParameter":
        if name in schema.fields("LayerParameter"):
            return f"'{name}' is a field of a layer; is a bracket closed too early?"
        return "is this file a solver?" if name in schema.fields("SolverParameter") else ""
    if context.message_name == "SolverParameter":
        return "is this file a net?" if name in schema.fields("NetParameter") else ""
    if not context.who:
        return ""
    if context.message_name == "LayerParameter":
        own = options_field(context.layer_type)
        homes = [own] if own is not None else []
    else:
        homes = []
        if name in schema.fields("LayerParameter"):
            return f"'{name}' is a field of the layer itself"
    layer = schema.fields("LayerParameter")
    for home in [*homes, "transform_param", "loss_param", "sampling_param"]:
        if home != context.path and name in schema.fields(layer[home].type_name or ""):
            return f"'{name}' is a field of {home}"
    return ""
