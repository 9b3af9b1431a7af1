"""How single values are written: the shortest text that reads back as the same value."""
from __future__ import annotations

import math
import re
import struct
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_PLAIN = re.compile(r"[A-Za-z_][\w./+-]*", re.ASCII)  # YAML texts that need no quotes anywhere
_TAKEN = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan", "infinity"}  # other readers' words


def value_text(field: FieldDescriptor, value: Any, yaml: bool = False) -> str:
    """A scalar of a field as text, for prototxt or for YAML."""
    if field.type == FieldDescriptor.TYPE_STRING:
        return yaml_text(value) if yaml else f'"{_escaped(value)}"'
    if field.type == FieldDescriptor.TYPE_BYTES:
        text = bytes_text(value)
        return yaml_text(text) if yaml else f'"{text}"'
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "true" if value else "false"
    if field.enum_type is not None:
        name = field.enum_type.values_by_number[value].name
        return yaml_text(name) if yaml else name
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return float_text(value, field.type == FieldDescriptor.TYPE_FLOAT)
    return str(value)


def float_text(value: float, single: bool = True) -> str:
    """The shortest decimal that reads back as this float32 (``single``) or float64: 0.1, 1e-05, 500, inf, nan."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if not single:
        return repr(value).removesuffix(".0")
    bits = struct.pack("<f", value)
    for digits in range(1, 9):
        text = f"{value:.{digits}g}"
        if _packed(text) == bits:
            return _tidy(text)
    return _tidy(f"{value:.9g}")


def _packed(text: str) -> bytes | None:
    try:
        return struct.pack("<f", float(text))
    except OverflowError:  # one digit too few can round beyond the largest float32
        return None


def _tidy(text: str) -> str:
    """Whole numbers below 1e9 without an exponent: 500 rather than 5e+02."""
    value = float(text)
    if "e" in text and value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return text


def _escaped(text: str) -> str:
    """A string's inside for prototxt: escapes for quotes, backslashes and what cannot be printed."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(_ESCAPES.get(c) or (c if c.isprintable() else _octal(c.encode())) for c in text)


def bytes_text(data: bytes) -> str:
    """Bytes as text with prototxt's escapes, all of it ASCII."""
    return "".join(_ESCAPES.get(chr(b)) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in data)


def _octal(data: bytes) -> str:
    return "".join(f"\\{b:03o}" for b in data)


def yaml_text(text: str) -> str:
    """A text as a YAML scalar: plain where every reader takes it for a text, else in double quotes.

    ``${`` begins a template's value, so that a text with it gets one dollar more.
    """
    if _PLAIN.fullmatch(text) and text.lower() not in _TAKEN:
        return text
    text = text.replace("${", "$${")
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _yaml_escape(ord(c))) for c in text) + '"'


def _yaml_escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
