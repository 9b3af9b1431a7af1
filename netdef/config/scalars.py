"""Text to value by the type of the field: the one place that knows how numbers, booleans and enums are written.

prototxt's rules hold for both formats; YAML adds its own words for true, false, infinity and NaN.
"""
from __future__ import annotations

import math
import re
import struct
from typing import TYPE_CHECKING

from netdef.config import schema
from netdef.config.prototxt import BadEscape, unescape
from netdef.config.tree import Node
from netdef.errors import closest

if TYPE_CHECKING:
    from netdef.config.schema import FieldInfo

RANGES = {
    "int32": (-2**31, 2**31 - 1), "sint32": (-2**31, 2**31 - 1), "sfixed32": (-2**31, 2**31 - 1),
    "int64": (-2**63, 2**63 - 1), "sint64": (-2**63, 2**63 - 1), "sfixed64": (-2**63, 2**63 - 1),
    "uint32": (0, 2**32 - 1), "fixed32": (0, 2**32 - 1), "uint64": (0, 2**64 - 1), "fixed64": (0, 2**64 - 1),
}
_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?", re.ASCII)
_OCTAL = re.compile(r"-?0[0-9]+", re.ASCII)  # 010 is 8 for an integer: as a float it is refused
_NAMED = re.compile(r"(-?)(inf|infinity|nan)f?", re.IGNORECASE)
_TRUE = {"true", "True", "t", "1"}
_FALSE = {"false", "False", "f", "0"}
_YAML_TRUE = {"yes", "Yes", "YES", "on", "On", "ON", "TRUE"}
_YAML_FALSE = {"no", "No", "NO", "off", "Off", "OFF", "FALSE"}
_YAML_NAMED = re.compile(r"([-+]?)\.(inf|Inf|INF|nan|NaN|NAN)")


class BadValue(ValueError):
    """The text is no value of the field's type: what was expected, and a hint."""

    def __init__(self, expected: str, hint: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.hint = hint


def parse(info: FieldInfo, node: Node) -> int | float | bool | str | bytes:
    """The value of a scalar node for a field; raises BadValue.

    Floats that float32 cannot hold are refused for ``float`` fields rather than made infinite.
    """
    if info.kind in RANGES:
        return _integer(info.kind, node)
    if info.kind in ("float", "double"):
        return _real(info.kind, node)
    if info.kind == "bool":
        return _boolean(node)
    if info.kind == "enum":
        return _enum(info.type_name or "", node)
    return _bytes(node) if info.kind == "bytes" else _string(node)


def _bare(node: Node) -> bool:
    """Whether the value stands without quotes."""
    return node.kind in ("word", "number", "plain")


def _integer(kind: str, node: Node) -> int:
    low, high = RANGES[kind]
    text = node.text
    if not _bare(node) or not _INTEGER.fullmatch(text):
        raise BadValue("an integer", _integer_hint(node))
    value = _to_int(text)
    if not low <= value <= high:
        raise BadValue(f"an integer from {low} to {high}")
    return value


def _to_int(text: str) -> int:
    digits = text.removeprefix("-")
    if len(digits) > 30:  # far outside of any range, and Python refuses to read endless ones
        return 2**99
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
    value = int(digits, base)
    return -value if text.startswith("-") else value


def _integer_hint(node: Node) -> str:
    """For 1e5, 2.0 and "3": how to write the integer that was meant."""
    text = node.text
    if not _FLOAT.fullmatch(text) or len(text) > 15:
        return ""
    value = float(text.rstrip("fF"))
    if abs(value) > 1e15 or value != int(value):
        return ""
    return f"write {int(value)}" + ("" if _bare(node) else " without quotes")


def _real(kind: str, node: Node) -> float:
    text = node.text
    named = _NAMED.fullmatch(text) or (_YAML_NAMED.fullmatch(text) if node.kind == "plain" else None)
    if _bare(node) and named:
        value = math.nan if named[2].lower() == "nan" else math.inf
        return -value if named[1] == "-" else value
    if _bare(node) and _INTEGER.fullmatch(text) and _OCTAL.fullmatch(text):
        raise BadValue("a number", "numbers do not begin with 0")
    if not _bare(node) or not _FLOAT.fullmatch(text):
        quoted = not _bare(node) and _FLOAT.fullmatch(text)
        raise BadValue("a number", "numbers stand without quotes" if quoted else "")
    value = float(text.rstrip("fF"))
    if not fits(kind, value):
        raise BadValue("a number up to 3.4028235e+38" if kind == "float" else "a number up to 1.797e+308")
    return value


def fits(kind: str, value: float) -> bool:
    """Whether a finite text stayed finite in the field's type."""
    if math.isinf(value):
        return False
    try:
        struct.pack("<f" if kind == "float" else "<d", value)
    except OverflowError:
        return False
    return True


def _boolean(node: Node) -> bool:
    if node.kind == "plain":
        if node.text in _YAML_TRUE:
            return True
        if node.text in _YAML_FALSE:
            return False
    if _bare(node) and node.text in _TRUE:
        return True
    if _bare(node) and node.text in _FALSE:
        return False
    folded = node.text.lower()
    hint = f"write {folded}" + ("" if _bare(node) else " without quotes") if folded in ("true", "false") else ""
    raise BadValue("true or false", hint)


def _enum(type_name: str, node: Node) -> int:
    names = schema.enum_values(type_name)
    text = node.text
    if node.kind != "string" and text in names:
        return names[text]
    if _bare(node) and _INTEGER.fullmatch(text):
        value = _to_int(text)
        if value in names.values():
            return value
    shown = list(names)[:12]
    expected = f"one of {', '.join(shown)}" + (", ..." if len(names) > len(shown) else "")
    if text in names:
        raise BadValue(expected, "it stands without quotes")
    near = closest(text, names)
    raise BadValue(expected, f"did you mean '{near}'?" if near else "")


def _string(node: Node) -> str:
    if node.kind in ("word", "number"):
        raise BadValue("a string in quotes", f'write "{node.text}"')
    text = node.text
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadValue("a string in UTF-8") from None
    return text


def _bytes(node: Node) -> bytes:
    if node.kind in ("word", "number"):
        raise BadValue("a string in quotes", f'write "{node.text}"')
    if node.kind == "string":
        return node.text.encode("utf-8", "surrogateescape")
    try:
        return unescape(node.text)
    except BadEscape as bad:
        raise BadValue("bytes with prototxt's escapes", f"a backslash begins no escape at character {bad.offset + 1}"
                       ) from None
