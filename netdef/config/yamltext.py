"""Reads YAML into the same tree as prototxt, keeping the place of every field.

PyYAML parses the text into events; the values stay text, since the field that they fill decides what they mean
(``type: No`` is the string No). Anchors, aliases and merges (``<<``) work; a value that came through one says so
in its span's note. Duplicate keys, aliases that hold themselves and aliases that blow up are errors. A template's
``${...}`` may stand without quotes inside ``{ }`` and ``[ ]`` too, where YAML alone would take its braces for its own.
"""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml import events as ev

from netdef.config.tree import MAX_DEPTH, Node, Source
from netdef.errors import ConfigSyntaxError, Span

MAX_ALIASED = 100_000  # values that aliases may add to a file; a net of 1000 layers needs some 10,000
_TAGS = {f"tag:yaml.org,2002:{t}" for t in ("str", "int", "float", "bool", "null", "seq", "map", "merge")} | {"!"}
_HOLE = re.compile(r"\$\{[^{}\"\n]*\}")  # see _hidden
_HIDDEN = 0x10FE00  # private characters that stand for ASCII's while YAML is parsed
_FAST = getattr(yaml, "CParser", None)  # the C library, where PyYAML was built with it


def read(text: str, file: str) -> Node:
    """The tree of a YAML file: a ``message`` node with the file's fields.

    Raises ConfigSyntaxError at the first place that cannot be read.
    """
    source = Source(text, file)
    whole = source.whole()
    content = _content(source)
    if content is None:
        return Node("", [], whole, whole, "message")
    if content.kind != "message":
        raise ConfigSyntaxError(f"expected 'field: value' lines, got {_kind_in_words(content)}", where=content.span)
    return Node("", _Expander(source).fields(content, ()), whole, whole, "message")


def read_value(text: str, file: str, name: str) -> Node:
    """The node of one value in YAML's spelling (``3``, ``[1, 2]``, ``{type: xavier}``), as a field called ``name``."""
    source = Source(text, file)
    content = _content(source)
    if content is None:
        whole = source.whole()
        return Node(name, "", whole, whole, "empty")
    return _Expander(source).node(name, content.span, content, ())


@dataclass(slots=True)
class _Content:
    """A YAML node before aliases and merges are followed; ``value`` as ``kind`` says.

    message: pairs of key and content; list: contents; alias: the content that its anchor names; else the text.
    """

    kind: str
    value: Any
    span: Span
    anchor: str = ""


def _kind_in_words(content: _Content) -> str:
    return {"list": "a list", "alias": "an alias"}.get(content.kind, f"'{content.value}'")


# -- events to contents -------------------------------------------------------------------------------------


def _content(source: Source) -> _Content | None:
    """The file's one document, or None where there is none."""
    try:
        text = source.text if _is_hidden(source.text) else _HOLE.sub(_hide, source.text)
        return _Composer(source, _events(text), shows=text is not source.text).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(source, error) from None
    except yaml.reader.ReaderError as error:
        at = error.position if isinstance(error.position, int) else 0
        raise ConfigSyntaxError(_unreadable(error.character), where=source.span(at, at + 1)) from None


def _hide(hole: re.Match[str]) -> str:
    """``${...}`` with every ASCII character moved out of YAML's sight, as long as before so that columns stay."""
    return "".join(chr(_HIDDEN + ord(c)) if ord(c) < 128 else c for c in hole[0])


def _is_hidden(text: str) -> bool:
    """Whether a text has the private characters itself (nobody's does; ``${...}`` then needs quotes)."""
    return any(_HIDDEN <= ord(c) < _HIDDEN + 128 for c in text) if not text.isascii() else False


_SHOWN = {_HIDDEN + n: n for n in range(128)}


def _unreadable(character: Any) -> str:
    """Why PyYAML refuses a character (which it gives as a number)."""
    code = character if isinstance(character, int) else ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"the byte 0x{code - 0xDC00:02x} is not UTF-8"
    return f"the character U+{code:04X} cannot stand in YAML"


def _events(text: str) -> Iterator[Any]:
    """The parser's events, from the C library where it can read the text (its messages say less)."""
    if _FAST is not None:
        try:
            return iter(list(_drain(_FAST(text))))
        except (yaml.YAMLError, UnicodeEncodeError):
            pass  # read again by the other, for the message
    return _drain(_SlowParser(text))


class _SlowParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """PyYAML's parser in Python."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


def _drain(parser: Any) -> Iterator[Any]:
    """All events, up to the one that is nested too deep."""
    depth = 0
    while parser.check_event():
        event = parser.get_event()
        depth += isinstance(event, ev.CollectionStartEvent) - isinstance(event, ev.CollectionEndEvent)
        yield event
        if depth > 2 * MAX_DEPTH:
            return


def _syntax_error(source: Source, error: yaml.MarkedYAMLError) -> ConfigSyntaxError:
    mark = error.problem_mark or error.context_mark
    where = source.span_at(mark.line, mark.column, mark.line, mark.column + 1) if mark else source.whole()
    text = error.problem or "this cannot be read as YAML"
    if "\\t" in text:
        text, hint = "a tab cannot indent YAML", "indent with spaces"
    elif text.startswith("mapping values are not allowed"):
        text, hint = "a ':' cannot stand here", "is the line before indented right, or a text with ':' not in quotes?"
    else:
        hint = ""
    if error.context and error.context_mark and error.context_mark.line != (mark.line if mark else -1):
        text += f" ({error.context} that begins in line {error.context_mark.line + 1})"
    return ConfigSyntaxError(text, where=where, hint=hint)


class _Composer:
    """Events to contents; the depth is checked here."""

    def __init__(self, source: Source, events: Iterator[Any], shows: bool = False) -> None:
        self.source = source
        self.events = events
        self.shows = shows  # whether texts hold hidden characters
        self.anchors: dict[str, _Content] = {}

    def document(self) -> _Content | None:
        content = None
        for event in self.events:
            if isinstance(event, ev.DocumentStartEvent):
                if content is not None:
                    raise ConfigSyntaxError("a second document begins here", where=self._span(event),
                                            hint="a config is one document")
                content = self._compose(next(self.events), 0)
        if content is not None and content.kind == "empty":
            return None
        return content

    def _span(self, event: Any) -> Span:
        a, b = event.start_mark, event.end_mark
        return self.source.span_at(a.line, a.column, b.line, b.column)

    def _compose(self, event: Any, depth: int) -> _Content:
        span = self._span(event)
        if depth > MAX_DEPTH:
            raise ConfigSyntaxError(f"blocks are nested more than {MAX_DEPTH} deep", where=span)
        if isinstance(event, ev.AliasEvent):
            if event.anchor not in self.anchors:
                raise ConfigSyntaxError(f"no anchor &{event.anchor} stands before this alias", where=span)
            return _Content("alias", self.anchors[event.anchor], span, event.anchor)
        if event.tag is not None and event.tag not in _TAGS:
            raise ConfigSyntaxError(f"the tag '{event.tag}' means nothing here", where=span)
        content = self._begin(event, span)
        if event.anchor:
            content.anchor = event.anchor
            self.anchors[event.anchor] = content
        if content.kind == "list":
            while not isinstance(inner := next(self.events), ev.SequenceEndEvent):
                content.value.append(self._compose(inner, depth + 1))
        elif content.kind == "message":
            while not isinstance(inner := next(self.events), ev.MappingEndEvent):
                key = self._compose(inner, depth + 1)
                content.value.append((key, self._compose(next(self.events), depth + 1)))
        return content

    def _begin(self, event: Any, span: Span) -> _Content:
        if isinstance(event, ev.SequenceStartEvent):
            return _Content("list", [], span)
        if isinstance(event, ev.MappingStartEvent):
            return _Content("message", [], span)
        text = event.value.translate(_SHOWN) if self.shows else event.value
        if event.style:
            return _Content("quoted", text, span)
        return _Content("plain" if text else "empty", text, span)


# -- contents to nodes --------------------------------------------------------------------------------------


class _Expander:
    """Contents to nodes: follows aliases and merges, refuses duplicate keys. ``via`` tells how a value came here."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.open: list[int] = []  # the anchored contents that are being expanded
        self.aliased = 0

    def node(self, name: str, span: Span, content: _Content, via: tuple[str, ...], depth: int = 0) -> Node:
        """The node of a field with this content."""
        if content.kind == "alias":
            target, use = content.value, _use(content, "alias *")
            self._enter(content)
            result = self.node(name, span, target, (*via, use), depth)
            self.open.pop()
            return result
        if depth > MAX_DEPTH:
            raise ConfigSyntaxError(f"blocks are nested more than {MAX_DEPTH} deep", where=content.span)
        if via:
            self._count(content)
        place = _noted(content.span, via)
        if content.kind == "message":
            return Node(name, self.fields(content, via, depth), span, place, "message")
        if content.kind == "list":
            elements = []
            for inner in content.value:
                element = self.node(name, place, inner, via, depth + 1)
                element.span = element.value_span
                elements.append(element)
            return Node(name, elements, span, place, "list")
        return Node(name, content.value, span, place, content.kind)

    def fields(self, content: _Content, via: tuple[str, ...], depth: int = 0) -> list[Node]:
        """The fields of a mapping: its own, and those merged in that it does not have itself."""
        own: dict[str, Node] = {}
        merges: list[_Content] = []
        for key, inner in content.value:
            if key.kind == "alias":
                key = key.value
            if key.kind == "plain" and key.value == "<<":
                merges.extend(inner.value if inner.kind == "list" else [inner])
                continue
            if key.kind not in ("plain", "quoted", "empty"):
                raise ConfigSyntaxError("expected the name of a field before ':'", where=key.span)
            if key.value in own:
                raise ConfigSyntaxError(f"the key '{key.value}' stands twice, first in line {own[key.value].span.line}",
                                        where=key.span, hint="a field with several values is a list: [a, b]")
            own[key.value] = self.node(key.value, _noted(key.span, via), inner, via, depth + 1)
        for merge in merges:
            for node in self._merged(merge, via, depth):
                own.setdefault(f"<<{len(own)}" if node.name == "<<" else node.name, node)
        return list(own.values())

    def _merged(self, merge: _Content, via: tuple[str, ...], depth: int) -> list[Node]:
        """The fields that one merged mapping brings."""
        target = merge.value if merge.kind == "alias" else merge
        if "${" in str(target.value) and target.kind in ("plain", "quoted"):  # a template's map, merged when it is filled
            return [Node("<<", target.value, _noted(merge.span, via), _noted(target.span, via), target.kind)]
        if target.kind != "message":
            raise ConfigSyntaxError("'<<' takes a mapping, or a list of mappings", where=merge.span)
        if merge.kind != "alias":
            return self.fields(target, via, depth + 1)
        self._enter(merge)
        result = self.fields(target, (*via, _use(merge, "merge of *")), depth + 1)
        self.open.pop()
        return result

    def _enter(self, alias: _Content) -> None:
        """Begin to expand an alias; one inside its own anchor never ends."""
        if id(alias.value) in self.open or len(self.open) > MAX_DEPTH:
            raise ConfigSyntaxError(f"the alias *{alias.anchor} stands inside its own anchor", where=alias.span)
        self.open.append(id(alias.value))
        self._count(alias)

    def _count(self, content: _Content) -> None:
        """Note one value more that an alias brought, and stop where they blow up."""
        self.aliased += 1
        if self.aliased > MAX_ALIASED:
            raise ConfigSyntaxError(f"aliases make this file larger than {MAX_ALIASED} values", where=content.span)


def _use(alias: _Content, how: str) -> str:
    line, column = alias.span.line, alias.span.column
    return f"through the {how}{alias.anchor} at {line}:{column}, anchored in line {alias.value.span.line}"


def _noted(span: Span, via: tuple[str, ...]) -> Span:
    return span.noted("; ".join(via)) if via else span
