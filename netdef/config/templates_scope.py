"""Names and values of templates: what ``${...}`` sees, how it fills texts, and the limits on what expansion makes."""
from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from netdef.config.templates_expr import FUNCTIONS, MAX_ITEMS, BadExpression, Value, evaluate, show
from netdef.config.tree import Node
from netdef.errors import Collector, ConfigError, FieldError, Span, did_you_mean, warn

MAX_MADE = 100_000  # values that templates may add; those of ResNet-50 make 2,000
MAX_NESTED = 30  # templates, files and repeats inside one another
PREVIOUS = "previous"  # the one top of the layer before; always there

_HOLE = re.compile(r"(?P<literal>\$\$+)\{|\$\{(?P<inside>[^{}]*)\}|(?P<open>\$\{)")
_WHOLE = re.compile(r"\$\{([^{}]*)\}")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Variable:
    """A name's value, expanded, and the places of the ``let`` lines behind it (for the warning about unused ones)."""

    node: Node
    places: tuple[Span, ...] = ()


@dataclass
class Scope:
    """What a piece of a file sees: its own names, then those around it. ``via`` tells by which uses it was reached."""

    names: dict[str, Variable] = field(default_factory=dict)
    around: Scope | None = None
    via: tuple[str, ...] = ()
    previous: Callable[[], str | None] = lambda: None  # the value of ${previous}, or None where there is none

    def inside(self, *via: str) -> Scope:
        """A scope within this one, reached by one more step."""
        if len(self.via) >= MAX_NESTED:
            raise FieldError(f"templates stand inside one another more than {MAX_NESTED} deep: {self.via[-1]}")
        return Scope({}, self, (*via, *self.via), self.previous)

    def find(self, name: str) -> Variable | None:
        """The variable of this name, or None."""
        here: Scope | None = self
        while here is not None:
            if name in here.names:
                return here.names[name]
            here = here.around
        return None

    def known(self) -> Iterator[str]:
        """All names that can be seen, nearest first."""
        yield from self.names
        if self.around is not None:
            yield from self.around.known()


class Filler:
    """Fills ``${...}`` in trees, counts what is made, and keeps which names were used and which mistakes were found."""

    def __init__(self, errors: Collector) -> None:
        self.errors = errors
        self.made = 0
        self.defined: dict[tuple[str, int, int], tuple[str, Span]] = {}
        self.used: set[tuple[str, int, int]] = set()
        self._said: set[tuple[str, str]] = set()

    # -- limits, mistakes, warnings -------------------------------------------------------------------------

    def count(self, span: Span, n: int = 1) -> None:
        """Note ``n`` values more; raises where templates blow up (a ConfigError that ends the expansion)."""
        self.made += n
        if self.made > MAX_MADE:
            raise TooLarge(f"templates make this file larger than {MAX_MADE} values", where=span,
                           hint="does a repeat run too often, or inside too many others?")

    def add(self, error: ConfigError) -> None:
        """Keep a mistake; one place says the same thing once, however often it is repeated."""
        key = (str(error.where), error.message)
        if key not in self._said:
            self._said.add(key)
            self.errors.add(error)

    def define(self, name: str, span: Span) -> None:
        """Note a name that should be used somewhere."""
        self.defined.setdefault((span.file, span.line, span.column), (name, span))

    def warn_unused(self) -> None:
        """Warn of every ``let`` that nothing read."""
        for key, (name, span) in self.defined.items():
            if key not in self.used:
                others = {n for k, (n, _) in self.defined.items() if k != key}
                warn(f"'{name}' is not used: no ${{{name}}} stands where it can be seen", span, did_you_mean(name, others))

    # -- names ----------------------------------------------------------------------------------------------

    def check_name(self, node: Node) -> None:
        """Refuse what cannot be a name in ``${...}``."""
        name = node.name
        if not _NAME.fullmatch(name):
            raise FieldError(f"'{name}' cannot be a name", where=node.span, hint="letters, digits and _ make a name")
        if keyword.iskeyword(name) or name in FUNCTIONS or name in (PREVIOUS, "true", "false"):
            raise FieldError(f"'{name}' cannot be a name: it has a meaning in ${{...}}", where=node.span)

    def _look_up(self, name: str, scope: Scope) -> Variable:
        found = scope.find(name)
        if found is None and name == PREVIOUS:
            top = scope.previous()
            if top is None:
                raise BadExpression("'previous' is the one top of the layer before, and there is none")
            return Variable(Node("", top, _NOWHERE, _NOWHERE, "quoted"))
        if found is None:
            known = list(dict.fromkeys(scope.known()))
            hint = did_you_mean(name, known) or (f"names here: {', '.join(known[:8])}" if known else
                                                 "let: gives names; $${ stands for the text itself")
            raise BadExpression(f"no name '{name}' in ${{...}}", hint)
        self.used.update((s.file, s.line, s.column) for s in found.places)
        return found

    # -- filling --------------------------------------------------------------------------------------------

    def node(self, node: Node, scope: Scope) -> Node:
        """The node with every ``${...}`` in names and values filled, and its place noted."""
        self.count(node.span)
        name = self.text(node.name, node.span, scope)
        span, place = noted(node.span, scope.via), noted(node.value_span, scope.via)
        if node.kind == "message":
            return Node(name, self._fields(node, scope), span, place, "message")
        if node.kind == "list":
            return Node(name, [self.node(n, scope) for n in node.children], span, place, "list")
        if "${" not in node.text:
            return Node(name, node.value, span, place, node.kind)
        whole = _WHOLE.fullmatch(node.text.strip())
        if whole is None:
            return Node(name, self.text(node.text, node.value_span, scope), span, place, node.kind)
        return self._whole(Node(name, "", span, place, node.kind), whole[1], scope)

    def _whole(self, node: Node, inside: str, scope: Scope) -> Node:
        """A value that is nothing but one ``${...}``: it becomes what the expression is, quotes or not."""
        if not _NAME.fullmatch(inside.strip()) or inside.strip() in ("true", "false"):
            value = self.value(inside, node.value_span, scope)
            return self._from_value(value, node.name, node.span, node.value_span)
        try:
            variable = self._look_up(inside.strip(), scope)
        except BadExpression as bad:
            raise self._error(bad, node.value_span) from None
        said = variable.node
        place = node.value_span
        if said.span is not _NOWHERE:
            place = noted(replace(place, note=""), (f"${{{inside.strip()}}} is {said.shown()}, from {said.value_span}",
                                                    *([place.note] if place.note else [])))
        if said.children:
            way = f"through ${{{inside.strip()}}} at {_short(node.value_span, said.value_span)}"
            return replace(self._copied(said, (way, *scope.via)), name=node.name, span=node.span)
        return Node(node.name, said.value, node.span, place, said.kind)

    def _copied(self, node: Node, via: tuple[str, ...]) -> Node:
        """A copy with every place noted."""
        self.count(node.span)
        value = [self._copied(n, via) for n in node.value] if isinstance(node.value, list) else node.value
        return Node(node.name, value, noted(node.span, via), noted(node.value_span, via), node.kind)

    def _fields(self, node: Node, scope: Scope) -> list[Node]:
        """The fields of a block; ``<<: ${map}`` brings those of a map that do not stand here."""
        filled = [self.node(child, scope) for child in node.children]
        own = [child for child in filled if child.name != "<<"]
        for merge in filled:
            if merge.name == "<<":
                if merge.kind != "message":
                    raise FieldError(f"'<<' takes a map, got {merge.shown()}", where=merge.value_span)
                have = {child.name for child in own}
                own += [child for child in merge.children if child.name not in have]
        _no_twins(own)
        return own

    def text(self, text: str, span: Span, scope: Scope) -> str:
        """A text with every ``${...}`` put in, and ``$${`` made ``${``."""
        if "${" not in text:
            return text

        def put(match: re.Match[str]) -> str:
            if match["literal"]:
                return match["literal"][1:] + "{"
            if match["open"]:
                raise FieldError("'${' has no '}'", where=noted(span, scope.via), hint="$${ stands for the text ${ itself")
            value = self.value(match["inside"], noted(span, scope.via), scope)
            if isinstance(value, (list, dict)):
                kind = "list" if isinstance(value, list) else "map"
                raise FieldError(f"'{match[0]}' is a {kind} and cannot stand inside a text", where=noted(span, scope.via))
            return show(value) if not isinstance(value, _Said) else value.said

        filled = _HOLE.sub(put, text)
        if len(filled) > MAX_ITEMS:
            raise FieldError(f"a text becomes longer than {MAX_ITEMS} characters", where=noted(span, scope.via))
        return filled

    def value(self, inside: str, span: Span, scope: Scope) -> Value:
        """What an expression is worth."""
        def look_up(name: str) -> Value:
            return from_node(self._look_up(name, scope).node)

        try:
            if _NAME.fullmatch(inside.strip()) and inside.strip() not in ("true", "false"):
                node = self._look_up(inside.strip(), scope).node
                return from_node(node) if node.children or node.kind in ("list", "message") else _Said(node)
            return evaluate(inside, look_up)
        except BadExpression as bad:
            raise self._error(bad, span) from None

    def _error(self, bad: BadExpression, span: Span) -> FieldError:
        return FieldError(str(bad), where=span, hint=bad.hint)

    def _from_value(self, value: Value, name: str, span: Span, place: Span) -> Node:
        self.count(span)
        if isinstance(value, _Said):
            return Node(name, value.said, span, place, "plain")
        if isinstance(value, dict):
            return Node(name, [self._from_value(v, k, span, place) for k, v in value.items()], span, place, "message")
        if isinstance(value, list):
            return Node(name, [self._from_value(v, "", span, place) for v in value], span, place, "list")
        return Node(name, show(value), span, place, "quoted" if isinstance(value, str) else "plain")


def _no_twins(fields: list[Node]) -> None:
    """Refuse two keys that became one when they were filled (prototxt's repeated fields may stand several times)."""
    seen: dict[str, Node] = {}
    for child in fields:
        first = seen.setdefault(child.name, child)
        if first is not child and child.kind in ("plain", "quoted", "empty"):
            raise FieldError(f"the key '{child.name}' stands twice, first at {first.span}", where=child.span)


class TooLarge(FieldError):
    """Templates make more than a file may hold: the expansion ends here."""


class _Said:
    """A name's scalar as it was written, so that ``${rate}`` gives 1e-4 and 0.10 back letter by letter."""

    def __init__(self, node: Node) -> None:
        self.said = node.text


_NOWHERE = Span("")


def from_node(node: Node) -> Value:
    """The value of an expanded node in arithmetic: numbers and true, false without quotes, else text."""
    if node.kind == "message":
        return {child.name: from_node(child) for child in node.children}
    if node.kind == "list":
        return [from_node(child) for child in node.children]
    text = node.text
    if node.kind in ("plain", "number", "word"):
        if _INTEGER.fullmatch(text) and len(text) < 20:
            return int(text)
        if _FLOAT.fullmatch(text) and len(text) < 40:
            return float(text)
        if text in ("true", "false"):
            return text == "true"
    return text


def noted(span: Span, via: tuple[str, ...]) -> Span:
    """The span with the ways by which it was reached added to its note."""
    ways = [w for w in via if w not in span.note]
    return span.noted("; ".join([span.note, *ways] if span.note else ways)) if ways else span


def _short(span: Span, other: Span) -> str:
    return f"{span.line}:{span.column}" if span.file == other.file else str(span)
