"""YAML's short form of a layer, rewritten into Caffe's long one (a step from tree to tree).

``- conv1: {Convolution: {num_output: 20}, bottom: data}`` becomes a layer with name, type, bottom, top and
convolution_param. The one key that is no field of LayerParameter is the type; ``bottom`` is by default the one top
of the layer before, ``top`` the layer's name. Long entries pass unchanged. Also ``layers`` becomes ``layer``.
"""
from __future__ import annotations

from dataclasses import replace

from netdef.config import schema
from netdef.config.options import SINKS, SOURCES, options_field, type_names
from netdef.config.tree import Node
from netdef.errors import Collector, FieldError, did_you_mean


def expand(root: Node, message_name: str, errors: Collector) -> Node:
    """The same tree with every net in it in the long form; ``root`` holds the fields of ``message_name``.

    Mistakes are added to ``errors`` as FieldErrors, and the layer goes on as far as it can.
    """
    if root.kind != "message":
        return root
    if message_name == "NetParameter":
        return replace(root, value=[_layers(n, errors) if n.name in ("layer", "layers") else n for n in root.children])
    known = schema.fields(message_name)
    inner = {name: info.type_name for name, info in known.items() if info.kind == "message" and info.type_name}
    return replace(root, value=[_inside(n, inner[n.name], errors) if n.name in inner else n for n in root.children])


def _inside(node: Node, message_name: str, errors: Collector) -> Node:
    """A field that holds a message, or a list of them."""
    if node.kind == "list":
        return replace(node, value=[expand(element, message_name, errors) for element in node.children])
    return expand(node, message_name, errors)


def _layers(node: Node, errors: Collector) -> Node:
    """The list of layers, under its field's name."""
    if node.kind != "list":
        return replace(node, name="layer")
    done: list[Node] = []
    previous: Node | None = None
    for entry in node.children:
        previous = long_layer(entry, previous, errors)
        done.append(previous)
    return replace(node, name="layer", value=done)


def long_layer(entry: Node, previous: Node | None, errors: Collector) -> Node:
    """An entry in the long form; ``previous`` is the layer before, in the long form."""
    if is_short(entry):
        entry = _Short(entry.children[0], previous, errors).layer()
    return replace(entry, name="layer")


def long_fields(entry: Node, errors: Collector) -> Node:
    """An entry that changes a layer, in the long form: only what it says itself, nothing filled in."""
    if is_short(entry):
        entry = _Short(entry.children[0], None, errors, whole=False).layer()
    return replace(entry, name="layer")


def top_of(layer: Node | None) -> str | None:
    """The one top of a layer in the long form; None where it has none or several."""
    tops = [v.text for n in layer.children if n.name == "top" for v in n.values()] if layer is not None else []
    return tops[0] if len(tops) == 1 else None


def is_short(entry: Node) -> bool:
    """Whether a list entry is ``name: {...}``: one key with a mapping, which is not a field that takes one."""
    if entry.kind != "message" or len(entry.children) != 1:
        return False
    only = entry.children[0]
    known = schema.fields("LayerParameter").get(only.name)
    if only.kind == "empty":
        return known is None
    return only.kind == "message" and (known is None or known.type_name is None or known.kind == "enum")


class _Short:
    """One short entry: ``node`` is named like the layer and holds its fields; ``whole``: all that a layer needs."""

    def __init__(self, node: Node, previous: Node | None, errors: Collector, whole: bool = True) -> None:
        self.whole = whole
        self.node = node
        self.previous = previous
        self.errors = errors
        self.fields = schema.fields("LayerParameter")

    def layer(self) -> Node:
        """The long form."""
        node = self.node
        keys = self._type_keys()
        key = keys[0] if keys else None
        made = [Node("name", node.name, node.span, node.span, "quoted")]
        if key is not None:
            made.append(Node("type", key.name, key.span, key.span, "quoted"))
        type_name = key.name if key is not None else _text(node.find("type"))
        if self.whole:
            made += self._bottoms(type_name) + self._tops(type_name)
        made += [child for child in node.children if child not in keys]
        if key is not None:
            made += self._options(key)
        return Node("layer", made, node.span, node.value_span, "message")

    def _type_keys(self) -> list[Node]:
        """The key that names the type (and others that do too, a mistake); none where ``type`` does."""
        keys = [c for c in self.node.children if c.name not in self.fields and c.kind in ("message", "empty")]
        if len(keys) > 1:
            keys = [c for c in keys if c.name[:1].isupper()] or keys
        if len(keys) > 1:
            names = " and ".join(f"'{c.name}'" for c in keys)
            self._error(f"two types: {names}", keys[1])
        elif not keys and self.node.find("type") is None and self.whole:
            self._error("no type", self.node, "it stands beside the other fields, as in {ReLU: {}, top: ip1}")
        return keys

    def _options(self, key: Node) -> list[Node]:
        """The options that stand inline, as the type's own field."""
        if not key.children:
            return []
        field = options_field(key.name)
        if field is not None:
            return [Node(field, key.value, key.span, key.value_span, "message")]
        loss = schema.fields("LossParameter")
        misplaced = [option for option in key.children if option.name in self.fields or option.name in loss]
        for option in misplaced:
            hint = f"it stands beside '{key.name}', not in it"
            if option.name not in self.fields:
                hint = f"it stands in loss_param, beside '{key.name}'"
            self._error(f"'{option.name}' is no option of the type '{key.name}'", option, hint)
        if not misplaced:
            self._error(f"no options are known for the type '{key.name}'", key, did_you_mean(key.name, type_names()))
        return []

    def _bottoms(self, type_name: str) -> list[Node]:
        """The bottom that is filled in: the one top of the layer before."""
        if self.node.find("bottom") is not None or type_name in SOURCES or self.previous is None:
            return []
        tops = [v for n in self.previous.children if n.name == "top" for v in n.values()]
        before = _text(self.previous.find("name"))
        if len(tops) == 1:
            note = f"the top of '{before}', since no bottom is given"
            return [Node("bottom", tops[0].text, self.node.span, self.node.span.noted(note), "quoted")]
        names = f" ({', '.join(t.text for t in tops)})" if tops else ""
        self._error(f"no bottom, and the layer before, '{before}', has {len(tops) or 'no'} tops{names}", self.node,
                    "say which blob it reads, as in bottom: data")
        return []

    def _tops(self, type_name: str) -> list[Node]:
        """The top that is filled in: the layer's name."""
        if self.node.find("top") is not None or type_name in SINKS:
            return []
        name, span = self.node.name, self.node.span
        return [Node("top", name, span, span.noted("the layer's name, since no top is given"), "quoted")]

    def _error(self, text: str, at: Node, hint: str = "") -> None:
        self.errors.add(FieldError(f"layer '{self.node.name}': {text}", where=at.span, hint=hint))


def _text(node: Node | None) -> str:
    return node.text if node is not None else ""
