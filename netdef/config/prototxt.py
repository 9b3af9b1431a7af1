"""Reads protobuf's text format into a tree, keeping the place of every field.

The whole format is read: ``:`` is optional before a block, ``< >`` does for ``{ }``, lists, ``,`` or ``;`` between
fields, comments, neighbouring strings, every escape, signs apart from their number. What a value means is
decided by the field it fills (bind.py), so a misspelt number or enum is no syntax error. The grammar is that of
https://protobuf.dev/reference/protobuf/textformat-spec/.
"""
from __future__ import annotations

import re
from typing import NamedTuple

from netdef.config.tree import MAX_DEPTH, Node, Source
from netdef.errors import ConfigSyntaxError, Span

_SPACE = re.compile(r"(?:[ \t\r\n\f\v]+|#[^\r\n]*)*")
_TOKEN = re.compile(r"""
    (?P<word>[A-Za-z_]\w*)
  | (?P<number>\.?\d(?:[eE][+-]?\d|[\w.])*)      # generous: bind says what is wrong with 64x or 1.2.3
  | (?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*"|'(?:[^'\\\r\n]|\\[^\r\n])*')
  | (?P<mark>[-:;,{}<>\[\]])
""", re.VERBOSE | re.ASCII)
_EXTENSION = re.compile(r"[\w./-]+", re.ASCII)
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, "'": 39, '"': 34, "?": 63}
_CLOSING = {"{": "}", "<": ">", "[": "]"}


class _Token(NamedTuple):
    kind: str  # word, number, string, mark, or end
    text: str
    start: int
    end: int


def read(text: str, file: str) -> Node:
    """The tree of a prototxt: a ``message`` node with the file's fields.

    Raises ConfigSyntaxError at the first place that cannot be read.
    """
    reader = _Reader(Source(text, file))
    whole = reader.source.whole()
    return Node("", reader.fields(None, 0), whole, whole, "message")


class _Reader:
    """One pass over the text with one token of look-ahead."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.next = self._scan(0)
        self.last_end = 0  # where the token before ``next`` ended

    # -- tokens -----------------------------------------------------------------------------------------

    def _scan(self, position: int) -> _Token:
        space = _SPACE.match(self.text, position)
        start = space.end() if space else position
        if start == len(self.text):
            return _Token("end", "the end of the file", start, start)
        found = _TOKEN.match(self.text, start)
        if found is None:
            raise self._stray(start)
        return _Token(found.lastgroup or "", found.group(), start, found.end())

    def _stray(self, start: int) -> ConfigSyntaxError:
        """The error for a character that begins no token."""
        char = self.text[start]
        if char in "\"'":
            end = re.compile(r"[^\r\n]*").match(self.text, start)
            span = self.source.span(start, end.end() if end else start)
            return ConfigSyntaxError("this string has no closing quote on its line", where=span)
        hint = "a string stands in quotes" if char in "/.$%@*+~=()" else ""
        shown = char if char.isprintable() else f"\\x{ord(char):02x}"
        return ConfigSyntaxError(f"unexpected character '{shown}'", where=self.source.span(start, start + 1), hint=hint)

    def take(self) -> _Token:
        """The next token, stepping over it."""
        token = self.next
        self.last_end = token.end
        self.next = self._scan(token.end)
        return token

    def at(self, marks: str) -> bool:
        """Whether the next token is one of these marks."""
        return self.next.kind == "mark" and self.next.text in marks

    def span(self, token: _Token) -> Span:
        return self.source.span(token.start, token.end)

    def unexpected(self, wanted: str, hint: str = "") -> ConfigSyntaxError:
        """The error for a token that cannot stand here."""
        token = self.next
        got = token.text if token.kind in ("end", "string") else f"'{token.text}'"
        return ConfigSyntaxError(f"expected {wanted}, got {got}", where=self.span(token), hint=hint)

    # -- grammar ----------------------------------------------------------------------------------------

    def fields(self, opening: _Token | None, depth: int) -> list[Node]:
        """The fields up to the mark that closes ``opening`` (or the end of the file), stepping over that mark."""
        if opening is not None and depth > MAX_DEPTH:
            raise ConfigSyntaxError(f"blocks are nested more than {MAX_DEPTH} deep", where=self.span(opening))
        closing = _CLOSING[opening.text] if opening else ""
        found: list[Node] = []
        while True:
            if self.next.kind == "end":
                if opening is None:
                    return found
                raise ConfigSyntaxError(f"this '{opening.text}' is never closed", where=self.span(opening))
            if self.at("}>]"):
                self._check_closing(opening, closing)
                self.take()
                return found
            found.append(self._field(depth))
            if self.at(",;"):
                self.take()

    def _check_closing(self, opening: _Token | None, closing: str) -> None:
        if opening is None:
            raise ConfigSyntaxError(f"'{self.next.text}' closes nothing", where=self.span(self.next))
        if self.next.text != closing:
            line = self.span(opening).line
            raise self.unexpected(f"'{closing}' to close the '{opening.text}' of line {line}")

    def _field(self, depth: int) -> Node:
        name, span = self._name()
        if self.at("{<"):
            return self._block(name, span, depth)
        if not self.at(":"):
            hint = "a value follows its name after ':', a block after '{'"
            raise self.unexpected(f"':' or '{{' after '{name}'", hint)
        self.take()
        if self.at("["):
            return self._list(name, span, depth)
        return self._value(name, span, depth)

    def _name(self) -> tuple[str, Span]:
        if self.next.kind == "word":
            token = self.take()
            return token.text, self.span(token)
        if not self.at("["):
            raise self.unexpected("the name of a field")
        start = self.next.start
        name = _EXTENSION.match(self.text, start + 1)
        self.next = self._scan(name.end()) if name else self.next
        if name is None or not self.at("]"):
            raise ConfigSyntaxError("expected [the.name.of.an.extension]", where=self.source.span(start, start + 1))
        end = self.take().end
        return self.text[start:end], self.source.span(start, end)

    def _value(self, name: str, span: Span, depth: int) -> Node:
        """A block or a scalar."""
        if self.at("{<"):
            return self._block(name, span, depth)
        start = self.next.start
        if self.next.kind == "string":
            value = b"".join(self._strings()).decode("utf-8", "surrogateescape")
            return Node(name, value, span, self.source.span(start, self.last_end), "string")
        sign = ""
        if self.at("-"):
            sign = self.take().text
        if self.next.kind not in ("word", "number"):
            raise self.unexpected(f"a value for '{name}'" if not sign else "a number after '-'")
        token = self.take()
        return Node(name, sign + token.text, span, self.source.span(start, token.end), token.kind)

    def _strings(self) -> list[bytes]:
        """Neighbouring strings, which make one."""
        parts = []
        while self.next.kind == "string":
            parts.append(self._unescape(self.take()))
        return parts

    def _unescape(self, token: _Token) -> bytes:
        try:
            return unescape(token.text[1:-1])
        except BadEscape as bad:
            at = token.start + 1 + bad.offset
            raise ConfigSyntaxError(f"'{self.text[at:at + 2]}' is no escape", where=self.source.span(at, at + 2),
                                    hint="a backslash itself is written \\\\") from None

    def _block(self, name: str, span: Span, depth: int) -> Node:
        opening = self.take()
        inner = self.fields(opening, depth + 1)
        return Node(name, inner, span, self.span(opening), "message")

    def _list(self, name: str, span: Span, depth: int) -> Node:
        opening = self.take()
        elements: list[Node] = []
        while not (self.at("]") and not elements):
            place = self.span(self.next)
            if self.next.kind == "end":
                raise ConfigSyntaxError("this '[' is never closed", where=self.span(opening))
            elements.append(self._value(name, place, depth))
            elements[-1].span = elements[-1].value_span
            if self.at("]"):
                break
            if not self.at(","):
                raise self.unexpected(f"',' or ']' in the list of line {self.span(opening).line}")
            self.take()
        end = self.take().end
        return Node(name, elements, span, self.source.span(opening.start, end), "list")


def _escaped(found: re.Match[str]) -> bytes | None:
    """The bytes that an escape stands for, or None where it stands for nothing."""
    octal, hexadecimal, short, long, simple = found.groups()
    if octal:
        return bytes([int(octal, 8)]) if int(octal, 8) < 256 else None
    if hexadecimal:
        return bytes([int(hexadecimal, 16)])
    if short or long:
        code = int(short or long, 16)
        return None if code > 0x10FFFF or 0xD800 <= code < 0xE000 else chr(code).encode()
    return bytes([_SIMPLE[simple]]) if simple in _SIMPLE else None


class BadEscape(ValueError):
    """A backslash at ``offset`` of a text that begins no escape."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def unescape(text: str) -> bytes:
    """The bytes of a text with prototxt's escapes in it, in UTF-8; raises BadEscape.

    YAML's bytes fields are read with it too.
    """
    out = bytearray()
    position = 0
    while (slash := text.find("\\", position)) >= 0:
        out += _utf8(text[position:slash])
        found = _ESCAPE.match(text, slash)
        value = _escaped(found) if found else None
        if found is None or value is None:
            raise BadEscape(slash)
        out += value
        position = found.end()
    out += _utf8(text[position:])
    return bytes(out)


def _utf8(text: str) -> bytes:
    """A text's bytes; what came as a lone surrogate (see load.read_text) becomes the byte it was."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
