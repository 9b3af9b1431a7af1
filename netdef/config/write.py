"""Messages to text: prototxt here, YAML in writeyaml.py. Reading the text gives an equal message."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from netdef.config.spelling import value_text
from netdef.config.writeyaml import to_yaml

__all__ = ["to_prototxt", "to_yaml"]


def to_prototxt(message: Any) -> str:
    """The message in protobuf's text format, fields in the order of their numbers, two spaces a level."""
    return "".join(f"{line}\n" for line in _lines(message, ""))


def _lines(message: Message, indent: str) -> Iterator[str]:
    for field, value in message.ListFields():
        for element in value if hasattr(value, "extend") else [value]:
            if isinstance(element, Message):
                inner = list(_lines(element, indent + "  "))
                if inner:
                    yield f"{indent}{field.name} {{"
                    yield from inner
                    yield f"{indent}}}"
                else:
                    yield f"{indent}{field.name} {{}}"
            else:
                yield f"{indent}{field.name}: {value_text(field, element)}"
