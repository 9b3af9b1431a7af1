"""One loaded schema: the files of a descriptor set, indexed by short name, with comments, fields and classes on demand.

Labels, defaults and comments come from the FileDescriptorProtos, for protobuf's runtime descriptors differ between
releases 4.25 and 7. ``netdef.config.schema`` is the door to this.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from google.protobuf import message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from netdef.config.layer_field import PACKAGE, SCALARS
from netdef.errors import did_you_mean

PREFIX = PACKAGE + "."
_KINDS = {number: name for name, number in SCALARS.items()} | {
    FieldDescriptorProto.TYPE_MESSAGE: "message",
    FieldDescriptorProto.TYPE_ENUM: "enum",
}
_TOP_MESSAGE, _TOP_ENUM, FIELD, _NESTED, _ENUM, VALUE = 4, 5, 2, 3, 4, 2  # steps of a path in SourceCodeInfo
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """What the schema says of one field.

    ``kind`` is a scalar type ("float", "uint32", "string", ...), "enum" or "message"; ``type_name`` names the enum or
    the message.
    ``default`` is the declared default (of an enum: the value's name), None where the schema declares none.
    """

    name: str
    number: int
    repeated: bool
    kind: str
    type_name: str | None
    default: Any
    comment: str
    deprecated: bool
    required: bool = False
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A message or enum of the set and where it stands in its file (``path``: steps as in SourceCodeInfo)."""

    proto: Any
    path: tuple[int, ...]
    file: FileDescriptorProto


class SchemaSet:
    """One loaded set. Never changed: registering options makes a new one."""

    def __init__(self, files: list[FileDescriptorProto]) -> None:
        self.files = files
        self.messages: dict[str, Found] = {}
        self.enums: dict[str, Found] = {}
        self._comments: dict[str, dict[tuple[int, ...], str]] = {}
        self._fields: dict[str, dict[str, FieldInfo]] = {}
        self._classes: dict[str, type[Message]] = {}
        for file in files:
            for i, enum in enumerate(file.enum_type):
                self.enums[enum.name] = Found(enum, (_TOP_ENUM, i), file)
            for i, message in enumerate(file.message_type):
                self._note(message, "", (_TOP_MESSAGE, i), file)

    def _note(self, message: DescriptorProto, outer: str, path: tuple[int, ...], file: FileDescriptorProto) -> None:
        name = outer + message.name
        self.messages[name] = Found(message, path, file)
        for i, enum in enumerate(message.enum_type):
            self.enums[f"{name}.{enum.name}"] = Found(enum, (*path, _ENUM, i), file)
        for i, nested in enumerate(message.nested_type):
            self._note(nested, name + ".", (*path, _NESTED, i), file)

    @cached_property
    def pool(self) -> DescriptorPool:
        """The files, without their comments, in a pool of their own."""
        pool = DescriptorPool()
        for file in self.files:
            bare = FileDescriptorProto()
            bare.CopyFrom(file)
            bare.ClearField("source_code_info")
            pool.AddSerializedFile(bare.SerializeToString())
        return pool

    def message_class(self, name: str) -> type[Message]:
        """The class of a message, made on first use."""
        if name not in self._classes:
            pick(self.messages, name, "message")
            self._classes[name] = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(PREFIX + name))
        return self._classes[name]

    def comment(self, found: Found, *steps: int) -> str:
        """The comment of a message or enum, or of the element ``steps`` below it; empty where there is none."""
        texts = self._comments.get(found.file.name)
        if texts is None:
            texts = {tuple(p.path): (p.leading_comments or p.trailing_comments).strip()
                     for p in found.file.source_code_info.location}
            self._comments[found.file.name] = texts
        return texts.get((*found.path, *steps), "")

    def fields(self, name: str) -> dict[str, FieldInfo]:
        """All fields of a message by name, in declared order."""
        if name not in self._fields:
            found = pick(self.messages, name, "message")
            infos = (_info(f, self.comment(found, FIELD, i)) for i, f in enumerate(found.proto.field))
            self._fields[name] = {info.name: info for info in infos}
        return self._fields[name]


def _info(field: FieldDescriptorProto, comment: str) -> FieldInfo:
    return FieldInfo(
        name=field.name,
        number=field.number,
        repeated=field.label == FieldDescriptorProto.LABEL_REPEATED,
        kind=_KINDS[field.type],
        type_name=field.type_name.removeprefix("." + PREFIX) or None,
        default=_default(field) if field.HasField("default_value") else None,
        comment=comment,
        deprecated=field.options.deprecated or comment.startswith("Deprecated"),
        required=field.label == FieldDescriptorProto.LABEL_REQUIRED,
        packed=field.options.packed,
    )


def _default(field: FieldDescriptorProto) -> Any:
    text, kind = field.default_value, _KINDS[field.type]
    if kind == "bool":
        return text == "true"
    if kind in ("float", "double"):
        return float(text)
    if kind == "bytes":
        return text.encode("latin-1").decode("unicode_escape").encode("latin-1")
    return text if kind in ("string", "enum") else int(text)


def pick(table: Mapping[str, T], name: str, what: str) -> T:
    """``table[name]``; KeyError with the nearest known name where there is none."""
    try:
        return table[name]
    except KeyError:
        raise KeyError(f"no {what} '{name}' in the schema; {did_you_mean(name, table)}".rstrip("; ")) from None
