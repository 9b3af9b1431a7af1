"""Where expanded layers go: onto the end of a net, or into the net of a ``base``, whose layers they change by name."""
from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from netdef.config import yamlshort
from netdef.config.options import options_field
from netdef.config.templates_scope import Filler
from netdef.config.tree import Node
from netdef.errors import FieldError, Span, closest

POSITIONS = ("before", "after", "replace")
_PATHS = ("net", "train_net", "test_net", "weights")  # fields of a solver that name files


class Layers:
    """A list of layers that grows at its end. ``layers`` are in the long form."""

    def __init__(self, layers: list[Node], filler: Filler, first: Node | None = None) -> None:
        self.layers = list(layers)
        self.filler = filler
        self.first = first  # the layer that stands before the list

    def _last(self) -> Node | None:
        return self.layers[-1] if self.layers else self.first

    def previous(self) -> str | None:
        """The one top of the layer before, which a layer reads that names no bottom."""
        return yamlshort.top_of(self._last())

    def add(self, entry: Node) -> None:
        """One entry of a list of layers, in either form."""
        self.layers.append(yamlshort.long_layer(entry, self._last(), self.filler.errors))

    def remove(self, names: list[str], where: Span) -> None:
        """Take layers out by name."""
        raise FieldError("'remove' takes layers out of a base, and this file has none", where=where)

    def at(self, position: str, name: str, where: Span):
        """A list that goes before, after or in the place of a layer: a context manager."""
        raise FieldError(f"'{position}' places layers in a base, and this file has none", where=where)


class Based(Layers):
    """The layers of a base; an entry changes the layer of its name."""

    def __init__(self, layers: list[Node], filler: Filler, file: str) -> None:
        super().__init__(layers, filler)
        self.file = file

    def add(self, entry: Node) -> None:
        """Merge an entry into the layers of its name: into those with the phase it names, where there are such."""
        change = yamlshort.long_fields(entry, self.filler.errors)
        name = _text(change, "name")
        places = self._find(name, (change.find("name") or change).span, "a new layer stands in {after: NAME, layers: [...]}")
        phase = _phase(change)
        same = [i for i in places if phase is not None and _phase(self.layers[i]) == phase]
        for i in same or places:
            self.layers[i] = _changed(self.layers[i], change)

    def remove(self, names: list[str], where: Span) -> None:
        """Take layers out; a name may be a pattern, as in ``loss1/*``."""
        for name in names:
            gone = set(self._find(name, where))
            self.layers = [layer for i, layer in enumerate(self.layers) if i not in gone]

    @contextmanager
    def at(self, position: str, name: str, where: Span) -> Iterator[Layers]:
        """Layers before the first layer of a name, after its last, or in its place."""
        places = self._find(name, where)
        at = places[-1] + 1 if position == "after" else places[0]
        before = self.layers[at - 1] if at else None
        inner = Layers([], self.filler, before)
        yield inner
        rest = [layer for i, layer in enumerate(self.layers) if i >= at and not (position == "replace" and i in places)]
        self.layers = [*self.layers[:at], *inner.layers, *rest]

    def _find(self, name: str, where: Span, hint: str = "") -> list[int]:
        names = [_text(layer, "name") for layer in self.layers]
        found = [i for i, n in enumerate(names) if n == name or fnmatch.fnmatchcase(n, name)]
        if not found:
            near = closest(name, names)
            raise FieldError(f"no layer '{name}' in the base {self.file}", where=where,
                             hint=f"did you mean '{near}'?" if near else hint)
        return found


def _text(node: Node, name: str) -> str:
    found = node.find(name)
    return found.text if found is not None else ""


def _phase(layer: Node) -> str | None:
    include = layer.find("include")
    rules = list(include.values()) if include is not None else []
    return _text(rules[0], "phase") if len(rules) == 1 and rules[0].kind == "message" else None


def _changed(layer: Node, change: Node) -> Node:
    """A layer with what ``change`` says; the options of a type that it had before go with the type."""
    fields, new_type = layer.children, change.find("type")
    if new_type is not None and new_type.text != _text(layer, "type"):
        old, new = options_field(_text(layer, "type")), options_field(new_type.text)
        fields = [f for f in fields if f.name != old or old == new]
    for child in change.children:
        fields = merged(fields, child)
    return replace(layer, value=fields)


def merged(fields: list[Node], own: Node) -> list[Node]:
    """``fields`` with one of them changed or added: blocks field by field, everything else as a whole.

    A field with nothing behind its name is taken out.
    """
    same = [f for f in fields if f.name == own.name]
    if own.kind == "empty":
        return [f for f in fields if f.name != own.name]
    if not same:
        return [*fields, own]
    if len(same) == 1 and same[0].kind == own.kind == "message":
        inner = same[0].children
        for child in own.children:
            inner = merged(inner, child)
        own = replace(own, value=inner)
    at = fields.index(same[0])
    return [own if i == at else f for i, f in enumerate(fields) if f.name != own.name or i == at]


def listed(fields: list[Node], root: Node) -> Node:
    """The layers among the fields of a net, as one list (prototxt repeats the field)."""
    found = [f for f in fields if f.name in ("layer", "layers")]
    where = found[0] if found else root
    return Node("layer", [replace(e, name="layer") for f in found for e in f.values()], where.span, where.value_span, "list")


def moved_paths(fields: list[Node], old: str, new: str) -> list[Node]:
    """A solver's fields with files that lie beside the base named as the new file sees them."""
    old_home, new_home = Path(old).parent, Path(new).parent
    if old_home.resolve() == new_home.resolve():
        return fields

    def moved(node: Node) -> Node:
        if isinstance(node.value, list):
            return replace(node, value=[moved(n) for n in node.value])
        path = old_home / node.value
        if os.path.isabs(node.value) or not path.is_file():
            return node
        return replace(node, value=os.path.relpath(path, new_home))

    return [moved(f) if f.name in _PATHS else f for f in fields]
