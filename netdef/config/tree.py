"""The tree that both readers make: names, values and the place of each, before any schema is looked at.

A value is text (what was written, strings with their escapes undone) or a list of nodes. ``kind`` says how it
was written, since that decides which fields it may fill:

=========  ==============================================================================================
message    a block of fields: ``{...}`` in prototxt, a mapping in YAML; the value is the list of its fields
list       ``[a, b]`` in prototxt, a sequence in YAML; the value is the list of its elements
string     prototxt, in quotes; a byte that is no UTF-8 stands as a lone surrogate ("surrogateescape")
word       prototxt, a bare name: an enum, true, inf
number     prototxt, whatever begins like a number
plain      YAML, without quotes: means whatever the field's type makes of it
quoted     YAML, in quotes or as a block of text
empty      YAML, a key with nothing behind it
=========  ==============================================================================================
"""
from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from netdef.errors import Span

MAX_DEPTH = 100  # blocks inside blocks; protobuf's own limit, and far below Python's
_UNDECODED = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(slots=True)
class Node:
    """One field as written. ``span`` is the place of its name, ``value_span`` that of its value (see the module)."""

    name: str
    value: str | list[Node]
    span: Span
    value_span: Span
    kind: str

    @property
    def text(self) -> str:
        """The text of a scalar; an empty string for blocks and lists."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def children(self) -> list[Node]:
        """The fields of a block or the elements of a list; none for a scalar."""
        return self.value if isinstance(self.value, list) else []

    def find(self, name: str) -> Node | None:
        """The first field of this name inside a block."""
        return next((child for child in self.children if child.name == name), None)

    def values(self) -> Iterator[Node]:
        """The elements of a list, or just the node itself: what a repeated field takes."""
        if self.kind == "list":
            yield from self.children
        else:
            yield self

    def shown(self) -> str:
        """The value as an error message quotes it: short, and in quotes where it was in quotes."""
        if self.kind == "message":
            return "a block { ... }"
        if self.kind == "list":
            return "a list [ ... ]"
        if self.kind == "empty":
            return "nothing"
        text = self.text.encode("utf-8", "backslashreplace").decode()
        text = text if len(text) <= 40 else text[:37] + "..."
        text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
        return f'"{text}"' if self.kind in ("string", "quoted") else text


class Source:
    """A text and its lines; turns offsets (from 0) and line-column pairs (from 0) into spans."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self._starts = [0, *(m.end() for m in _LINE_END.finditer(text))]
        self._lines = _LINE_END.split(_UNDECODED.sub("\ufffd", text))  # they must be printable

    def span(self, start: int, end: int) -> Span:
        """The span of ``text[start:end]``; one that runs over the end of a line is cut there."""
        row = bisect_right(self._starts, start) - 1
        return self._span(row, start - self._starts[row], end - start)

    def span_at(self, row: int, column: int, end_row: int, end_column: int) -> Span:
        """The span from one line and column to another, all from 0."""
        row = min(row, len(self._lines) - 1)
        length = end_column - column if end_row == row else len(self._lines[row]) - column
        return self._span(row, column, length)

    def _span(self, row: int, column: int, length: int) -> Span:
        line = self._lines[row]
        return Span(self.file, row + 1, column + 1, max(1, min(length, len(line) - column)), line)

    def whole(self) -> Span:
        """The span of the file itself: its first line, without an excerpt."""
        return Span(self.file)
